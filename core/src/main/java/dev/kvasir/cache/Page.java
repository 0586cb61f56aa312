package dev.kvasir.cache;

import java.lang.foreign.MemorySegment;

/** A run of off-heap bytes, 64-byte aligned, that one or more caches hold. */
public final class Page {
    private final MemorySegment bytes;
    private final Runnable free;
    private volatile int holders = 1;

    /** A page of these bytes; {@code free} is run when nobody holds it any more and the pool has no use for it. */
    public Page(MemorySegment bytes, Runnable free) {
        this.bytes = bytes;
        this.free = free;
    }

    /** The bytes; written only by a holder that is alone. */
    public MemorySegment bytes() {
        return bytes;
    }

    /** Size in bytes. */
    public long size() {
        return bytes.byteSize();
    }

    /** Whether more than one cache holds this page, so that nobody may write to it. */
    public boolean shared() {
        return holders > 1;
    }

    int holders() {
        return holders;
    }

    void holders(int count) {
        holders = count;
    }

    void free() {
        free.run();
    }
}
