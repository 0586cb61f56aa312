package dev.kvasir.cache.codebook;

/**
 * Any number of weighted numbers, kept as sums over fine bins: weight, weighted value, weighted square. What is made from
 * it is exact but for borders that cut through a bin; memory does not grow with the data.
 *
 * <p>One instance serves one thread; {@link #add(WeightedHistogram)} brings several together.
 */
public final class WeightedHistogram {
    private static final int BINS = 1 << 16;

    private final float low;
    private final float high;
    private final double[] weights = new double[BINS];
    private final double[] sums = new double[BINS];
    private final double[] squares = new double[BINS];

    /** An empty one; the bins divide {@code [low, high]}, numbers beyond fall into the outermost ones. */
    public WeightedHistogram(float low, float high) {
        if (!(low < high) || !Float.isFinite(high - low)) {
            throw new IllegalArgumentException("a histogram from " + low + " to " + high);
        }
        this.low = low;
        this.high = high;
    }

    /**
     * Takes in a number.
     *
     * @throws IllegalArgumentException if it is not finite, or its weight is negative or not finite
     */
    public void add(float value, float weight) {
        if (!(weight >= 0) || !Float.isFinite(weight) || !Float.isFinite(value)) {
            throw new IllegalArgumentException("value " + value + " of weight " + weight);
        }
        int bin = Math.clamp((long) ((value - low) * (BINS / ((double) high - low))), 0, BINS - 1);
        weights[bin] += weight;
        sums[bin] += (double) weight * value;
        squares[bin] += (double) weight * value * value;
    }

    /** Takes in all of another of the same range. */
    public void add(WeightedHistogram other) {
        if (other.low != low || other.high != high) {
            throw new IllegalArgumentException("histograms of other ranges");
        }
        for (int i = 0; i < BINS; i++) {
            weights[i] += other.weights[i];
            sums[i] += other.sums[i];
            squares[i] += other.squares[i];
        }
    }

    /** Sum of all weights. */
    public double weight() {
        double sum = 0;
        for (double weight : weights) {
            sum += weight;
        }
        return sum;
    }

    float low() {
        return low;
    }

    float high() {
        return high;
    }

    /** The bins that hold anything, in order. */
    Atoms atoms() {
        int count = 0;
        for (double weight : weights) {
            count += weight > 0 ? 1 : 0;
        }
        Atoms atoms = new Atoms(count);
        int i = 0;
        for (int bin = 0; bin < BINS; bin++) {
            if (weights[bin] > 0) {
                atoms.set(i++, weights[bin], sums[bin], squares[bin]);
            }
        }
        return atoms;
    }
}
