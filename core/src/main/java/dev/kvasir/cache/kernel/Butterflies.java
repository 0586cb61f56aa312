package dev.kvasir.cache.kernel;

/**
 * The sums and differences that fast Walsh-Hadamard transforms are made of, in Sylvester order. {@link ScalarButterflies}
 * is the oracle, {@link VectorButterflies} is what runs; both give the same bits. No method allocates.
 */
public interface Butterflies {
    /** The fastest on this machine; the system property {@code kvasir.kernels=scalar} selects the oracle. */
    static Butterflies best() {
        return "scalar".equals(System.getProperty("kvasir.kernels"))
                ? new ScalarButterflies()
                : new VectorButterflies();
    }

    /**
     * Multiplies {@code count} numbers by {@code factor} and each run of {@code block} of them by the Hadamard matrix of that
     * order.
     *
     * @param count a multiple of {@code block}
     * @param block a power of two
     */
    void runs(float[] x, int offset, int count, int block, float factor);

    /**
     * Multiplies every column of {@code x[row][lane]} by the Hadamard matrix of order {@code rows}: tokens in lanes.
     *
     * @param rows a power of two
     * @param stride numbers from one row to the next
     * @param lanes columns, any number up to {@code stride}
     */
    void columns(float[] x, int offset, int rows, int stride, int lanes);
}
