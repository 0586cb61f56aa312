package dev.kvasir.lab.metric;

/**
 * A share of successes with its 95 % interval.
 *
 * <p>The interval is Wilson's score interval (Wilson 1927, "Probable inference, the law of succession, and statistical
 * inference"): unlike the normal one it stays inside {@code [0, 1]} and has width at 0 and {@code n} successes.
 *
 * @param share {@code successes / trials}
 * @param low lower end
 * @param high upper end
 */
public record Proportion(long successes, long trials, double share, double low, double high) {
    /** The 0.975 quantile of the standard normal distribution. */
    private static final double Z = 1.959963984540054;

    /** {@code successes} out of {@code trials}, which is at least 1. */
    public static Proportion of(long successes, long trials) {
        if (trials < 1 || successes < 0 || successes > trials) {
            throw new IllegalArgumentException(successes + " successes in " + trials + " trials");
        }
        double n = trials;
        double p = successes / n;
        double scale = 1 / (1 + Z * Z / n);
        double centre = scale * (p + Z * Z / (2 * n));
        double half = scale * Z * Math.sqrt(p * (1 - p) / n + Z * Z / (4 * n * n));
        return new Proportion(
                successes, trials, p, successes == 0 ? 0 : centre - half, successes == trials ? 1 : centre + half);
    }
}
