package dev.kvasir.cache.codebook;

import java.util.Arrays;

/**
 * NormalFloat levels: quantiles of a Gaussian brought to [-1, 1], with an exact zero. For comparison with fitted levels.
 *
 * <p>Source: QLoRA, arXiv 2305.14314, section 3, and the levels of its released code.
 */
public final class NormalFloat {
    private static final int MAX_BITS = 8;

    private NormalFloat() {}

    /**
     * {@code 2^bits} levels: half of them above zero, one less below.
     *
     * @param bits 2 to 8
     */
    public static Codebook levels(int bits) {
        if (bits < 2 || bits > MAX_BITS) {
            throw new IllegalArgumentException("NormalFloat of " + bits + " bits");
        }
        int size = 1 << bits;
        // The outermost quantile lies halfway between those of even steps of size and of size - 1 levels.
        double outermost = 1 - (1.0 / size + 1.0 / (size - 1)) / 4;
        int positive = size / 2;
        int negative = positive - 1;
        double largest = quantile(outermost);
        float[] levels = new float[size];
        for (int i = 0; i < positive; i++) {
            levels[i] = (float) (quantile(0.5 + (outermost - 0.5) * (i + 1) / positive) / largest);
        }
        for (int i = 0; i < negative; i++) {
            levels[positive + i] = (float) (-quantile(0.5 + (outermost - 0.5) * (i + 1) / negative) / largest);
        }
        Arrays.sort(levels);
        return new Codebook(levels);
    }

    /** Where a standard Gaussian's distribution reaches {@code share}, by halving. */
    static double quantile(double share) {
        double low = 0;
        double high = 8;
        for (int i = 0; i < 60; i++) {
            double middle = (low + high) / 2;
            if (distribution(middle) < share) {
                low = middle;
            } else {
                high = middle;
            }
        }
        return low;
    }

    /** The standard Gaussian's distribution for {@code x >= 0}, by its series around zero (Marsaglia, 2004). */
    private static double distribution(double x) {
        double term = x;
        double sum = x;
        for (int i = 3; term > 1e-17 * sum; i += 2) {
            term *= x * x / i;
            sum += term;
        }
        return 0.5 + sum * Math.exp(-x * x / 2) / Math.sqrt(2 * Math.PI);
    }
}
