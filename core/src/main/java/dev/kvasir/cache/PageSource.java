package dev.kvasir.cache;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/** Where a pool's pages come from. Called under the pool's lock. */
public interface PageSource {
    /** The system's memory. */
    PageSource MEMORY = new PageSource() {
        @Override
        @SuppressWarnings("MustBeClosed") // the page closes it
        public Page page(long size) {
            Arena arena = Arena.ofShared();
            MemorySegment bytes = arena.allocate(size, 64);
            return new Page(bytes, arena::close);
        }
    };

    /**
     * Sees to it that pages of {@code bytes} bytes in all can be made; nothing has changed where they cannot.
     *
     * @throws dev.kvasir.KvasirException if they cannot
     */
    default void secure(long bytes) {}

    /**
     * A new page.
     *
     * @throws OutOfMemoryError if the system has no more memory
     */
    Page page(long size);
}
