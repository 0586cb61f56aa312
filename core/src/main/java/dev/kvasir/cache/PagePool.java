package dev.kvasir.cache;

import java.util.ArrayDeque;
import java.util.HashMap;
import java.util.Map;

/**
 * Off-heap pages under one hard byte budget.
 *
 * <p>Pages that are given back wait for the next who wants that size; when another size needs their bytes they are
 * returned to the system. The budget bounds what is allocated, waiting pages included. Who needs several pages at once
 * {@linkplain #claim claims} their bytes first and cannot be refused afterwards. Safe for use by several threads.
 */
public final class PagePool implements AutoCloseable {
    private final long budget;
    private final Map<Long, ArrayDeque<Page>> waiting = new HashMap<>();
    private long used;
    private long claimed;
    private long waitingBytes;
    private boolean closed;

    /**
     * A pool that gives at most {@code budgetBytes}.
     *
     * @throws IllegalArgumentException if the budget is negative
     */
    public PagePool(long budgetBytes) {
        if (budgetBytes < 0) {
            throw new IllegalArgumentException("budget of " + budgetBytes + " bytes");
        }
        budget = budgetBytes;
    }

    /** Bytes handed out now; pages held by several caches count once. */
    public synchronized long usedBytes() {
        return used;
    }

    /** Bytes allocated from the system now: those handed out and those waiting to be used again. */
    public synchronized long reservedBytes() {
        return used + waitingBytes;
    }

    /** The most bytes this pool will ever hold. */
    public long budgetBytes() {
        return budget;
    }

    /**
     * The right to {@code bytes} bytes of pages.
     *
     * @throws CacheBudgetException if the budget does not have them; nothing has changed then
     */
    public synchronized Claim claim(long bytes) {
        if (closed) {
            throw new IllegalStateException("pool is closed");
        }
        if (bytes > budget - used - claimed) {
            throw refusal(bytes, "the budget is " + budget + " bytes");
        }
        claimed += bytes;
        return new Claim(bytes);
    }

    private CacheBudgetException refusal(long bytes, String why) {
        return new CacheBudgetException(
                "cache needs " + bytes + " more bytes, but " + (used + claimed) + " are in use and " + why);
    }

    /** One more holder of {@code page}. */
    public synchronized Page share(Page page) {
        page.holders(page.holders() + 1);
        return page;
    }

    /** One holder less; the last one gives the page back. */
    public synchronized void release(Page page) {
        int holders = page.holders() - 1;
        if (holders < 0) {
            throw new IllegalStateException("page released twice");
        }
        page.holders(holders);
        if (holders == 0) {
            used -= page.size();
            if (closed) {
                page.free();
                return;
            }
            waitingBytes += page.size();
            waiting.computeIfAbsent(page.size(), size -> new ArrayDeque<>()).push(page);
        }
    }

    private synchronized Page take(long size) {
        Page page = null;
        ArrayDeque<Page> sameSize = waiting.get(size);
        if (sameSize != null && !sameSize.isEmpty()) {
            page = sameSize.pop();
            waitingBytes -= size;
            page.holders(1);
        } else {
            makeRoom(size);
            try {
                page = new Page(size);
            } catch (OutOfMemoryError e) {
                throw refusal(size, "the system has no more memory");
            }
        }
        used += size;
        claimed -= size;
        return page;
    }

    /** Frees waiting pages until {@code size} bytes fit the budget. */
    private void makeRoom(long size) {
        for (ArrayDeque<Page> pages : waiting.values()) {
            while (used + waitingBytes + size > budget && !pages.isEmpty()) {
                Page page = pages.pop();
                waitingBytes -= page.size();
                page.free();
            }
        }
    }

    private synchronized void abandon(long bytes) {
        claimed -= bytes;
    }

    /** Returns the waiting pages to the system; pages that caches still hold follow when those close. */
    @Override
    public synchronized void close() {
        for (ArrayDeque<Page> pages : waiting.values()) {
            pages.forEach(Page::free);
            pages.clear();
        }
        waitingBytes = 0;
        closed = true;
    }

    /** Bytes set aside for one caller, who turns them into pages; what is left goes back on close. */
    public final class Claim implements AutoCloseable {
        private long left;

        private Claim(long bytes) {
            left = bytes;
        }

        /** A page of {@code size} bytes, 64-byte aligned. Its content is whatever its last holder left: zero it if that matters. */
        public Page page(long size) {
            if (size > left) {
                throw new IllegalStateException("page of " + size + " bytes from a claim of " + left);
            }
            left -= size;
            return take(size);
        }

        /** A claim by itself of {@code bytes} of this one's: for who will know only later what pages it needs. */
        public Claim split(long bytes) {
            if (bytes > left) {
                throw new IllegalStateException("claim of " + bytes + " bytes from a claim of " + left);
            }
            left -= bytes;
            return new Claim(bytes);
        }

        @Override
        public void close() {
            abandon(left);
            left = 0;
        }
    }
}
