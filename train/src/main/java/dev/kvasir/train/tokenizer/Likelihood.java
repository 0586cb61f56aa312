package dev.kvasir.train.tokenizer;

/**
 * The log-likelihood, in nats, of a text cut into pieces under the unigram model that suits it best: with c(s) uses of
 * piece s, N in all and p(s) = c(s)/N it is the sum of c(s) ln p(s), which is the sum of phi(c(s)) less phi(N), phi(x) =
 * x ln x.
 */
final class Likelihood {
    private Likelihood() {}

    /** x ln x, 0 at 0. */
    static double phi(double x) {
        return x <= 0 ? 0 : x * Math.log(x);
    }

    /** The likelihood of {@code counts} uses per piece. */
    static double of(double[] counts) {
        double sum = 0;
        double total = 0;
        for (double count : counts) {
            sum += phi(count);
            total += count;
        }
        return sum - phi(total);
    }

    /** The exact gain of merging two different pieces used {@code left} and {@code right} times into one used {@code merged} times so far, {@code uses} times, of {@code total} pieces. */
    static double mergeGain(double left, double right, double merged, double uses, double total) {
        return phi(left - uses) - phi(left) + phi(right - uses) - phi(right) + gainOfMerged(merged, uses, total);
    }

    /** As {@link #mergeGain} for a piece merged with itself. */
    static double selfMergeGain(double piece, double merged, double uses, double total) {
        return phi(piece - 2 * uses) - phi(piece) + gainOfMerged(merged, uses, total);
    }

    private static double gainOfMerged(double merged, double uses, double total) {
        return phi(merged + uses) - phi(merged) - phi(total - uses) + phi(total);
    }
}
