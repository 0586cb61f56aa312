package dev.kvasir.cache.codebook;

/**
 * The scalar quantizer of the smallest mean square error for a known symmetric density: every level is the mean of what is
 * nearest to it. Its levels are symmetric, so half of them are found.
 *
 * <p>Sources: Lloyd (1982), Max (1960); TurboQuant, arXiv 2504.19874, section 3.1, which stores them for 1 to 4 bits.
 *
 * @param codebook the levels
 * @param error mean square error of a number of that density
 */
public record LloydMax(Codebook codebook, double error) {
    private static final int CELLS = 1 << 15;
    private static final int MAX_ROUNDS = 20_000;
    private static final double SETTLED = 1e-10;
    private static final int MAX_BITS = 8;

    /**
     * The quantizer of {@code 2^bits} levels.
     *
     * @param bits 1 to 8
     */
    public static LloydMax of(Density density, int bits) {
        if (bits < 1 || bits > MAX_BITS) {
            throw new IllegalArgumentException("a codebook of " + bits + " bits");
        }
        Half half = new Half(density);
        int count = 1 << (bits - 1);
        double[] levels = new double[count];
        for (int i = 0; i < count; i++) {
            levels[i] = half.quantile((i + 0.5) / count);
        }
        settle(half, levels);
        float[] all = new float[2 * count];
        for (int i = 0; i < count; i++) {
            all[count + i] = (float) levels[i];
            all[count - 1 - i] = (float) -levels[i];
        }
        return new LloydMax(new Codebook(all), half.error(levels));
    }

    private static void settle(Half half, double[] levels) {
        for (int round = 0; round < MAX_ROUNDS; round++) {
            double moved = 0;
            double from = 0;
            for (int i = 0; i < levels.length; i++) {
                double to = i + 1 < levels.length ? (levels[i] + levels[i + 1]) / 2 : half.reach;
                double mean = half.mean(from, to, levels[i]);
                moved = Math.max(moved, Math.abs(mean - levels[i]));
                // The border to the next level must be that of the old levels.
                from = to;
                levels[i] = mean;
            }
            if (moved < SETTLED * half.reach) {
                return;
            }
        }
    }

    /** Running integrals of the density for {@code x >= 0} and of its first two moments, by Simpson's rule on a fine grid. */
    private static final class Half {
        final double reach;
        private final double width;
        private final double[][] moments = new double[3][CELLS + 1];

        Half(Density density) {
            reach = density.reach();
            width = reach / CELLS;
            for (int cell = 0; cell < CELLS; cell++) {
                double x = cell * width;
                double left = density.shape().at(x);
                double middle = density.shape().at(x + width / 2);
                double right = density.shape().at(x + width);
                double m = x + width / 2;
                double r = x + width;
                add(0, cell, left + 4 * middle + right);
                add(1, cell, left * x + 4 * middle * m + right * r);
                add(2, cell, left * x * x + 4 * middle * m * m + right * r * r);
            }
        }

        private void add(int moment, int cell, double sum) {
            moments[moment][cell + 1] = moments[moment][cell] + sum;
        }

        /** The integral from zero to {@code x}; straight lines between grid points. */
        private double integral(int moment, double x) {
            double at = Math.min(x / width, CELLS);
            int cell = Math.min((int) at, CELLS - 1);
            double low = moments[moment][cell];
            return low + (at - cell) * (moments[moment][cell + 1] - low);
        }

        double mean(double from, double to, double otherwise) {
            double mass = integral(0, to) - integral(0, from);
            return mass > 0 ? (integral(1, to) - integral(1, from)) / mass : otherwise;
        }

        /** Where the integral reaches a share of the whole. */
        double quantile(double share) {
            double wanted = share * moments[0][CELLS];
            int low = 0;
            int high = CELLS;
            while (low < high) {
                int middle = (low + high) >>> 1;
                if (moments[0][middle] < wanted) {
                    low = middle + 1;
                } else {
                    high = middle;
                }
            }
            return low * width;
        }

        double error(double[] levels) {
            double sum = moments[2][CELLS];
            double from = 0;
            for (int i = 0; i < levels.length; i++) {
                double to = i + 1 < levels.length ? (levels[i] + levels[i + 1]) / 2 : reach;
                double mass = integral(0, to) - integral(0, from);
                sum -= 2 * levels[i] * (integral(1, to) - integral(1, from)) - levels[i] * levels[i] * mass;
                from = to;
            }
            return sum / moments[0][CELLS];
        }
    }
}
