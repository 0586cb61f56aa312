package dev.kvasir.cache;

/** Off-heap pages under one hard byte budget. */
public final class PagePool implements AutoCloseable {
    /** A pool that gives at most {@code budgetBytes}. */
    public PagePool(long budgetBytes) {
        throw new UnsupportedOperationException("" + budgetBytes);
    }

    /** Bytes handed out now. */
    public long usedBytes() {
        return 0;
    }

    @Override
    public void close() {}
}
