package dev.kvasir.cache;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/** A run of off-heap bytes, 64-byte aligned, that one or more caches hold. */
public final class Page {
    private final Arena arena;
    private final MemorySegment bytes;
    private volatile int holders = 1;

    @SuppressWarnings("MustBeClosed") // free() closes it
    Page(long size) {
        arena = Arena.ofShared();
        bytes = arena.allocate(size, 64);
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
        arena.close();
    }
}
