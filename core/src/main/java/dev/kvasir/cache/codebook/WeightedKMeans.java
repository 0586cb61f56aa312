package dev.kvasir.cache.codebook;

import java.util.Arrays;
import java.util.Random;

/**
 * Levels for data: weighted k-means in one dimension. On a histogram's running sums a round costs the levels, not the
 * data, whose number only {@link WeightedHistogram#add(float, float)} feels.
 *
 * <p>Source: KVQuant, arXiv 2401.18079, section 3.3, "nuq": k-means++ start, at most 50 rounds, weights from Fisher
 * information.
 *
 * @param codebook the levels
 * @param errors weighted square error of all data at the start and after each round, never rising
 */
public record WeightedKMeans(Codebook codebook, double[] errors) {
    private static final int ROUNDS = 50;
    private static final int MAX_BITS = 8;

    /** The weighted square error of the levels. */
    public double error() {
        return errors[errors.length - 1];
    }

    /**
     * k-means from two starts, k-means++ and uniform levels, of which the better end is kept: hence never worse than uniform
     * levels. Data without weight get uniform levels.
     *
     * @param bits {@code 2^bits} levels, 1 to 8
     * @param seed of k-means++; equal data and seeds give equal levels
     */
    public static WeightedKMeans fit(WeightedHistogram data, int bits, long seed) {
        Atoms atoms = data.atoms();
        float[] uniform = uniform(data, bits);
        double[] even = new double[uniform.length];
        Arrays.setAll(even, i -> uniform[i]);
        if (atoms.count() == 0) {
            return new WeightedKMeans(new Codebook(uniform), new double[] {0});
        }
        WeightedKMeans fromEven = rounds(atoms, even);
        WeightedKMeans fromDrawn = rounds(atoms, drawn(atoms, even.length, new Random(seed)));
        return fromDrawn.error() <= fromEven.error() ? fromDrawn : fromEven;
    }

    /** The best levels there are, by dynamic programming: no seed, no luck, a fraction of a second. */
    public static WeightedKMeans optimal(WeightedHistogram data, int bits) {
        Atoms atoms = data.atoms();
        float[] uniform = uniform(data, bits);
        if (atoms.count() == 0) {
            return new WeightedKMeans(new Codebook(uniform), new double[] {0});
        }
        double[] levels = new Partition(atoms, uniform.length).levels(uniform.length);
        return new WeightedKMeans(codebook(levels), new double[] {atoms.error(levels)});
    }

    private static float[] uniform(WeightedHistogram data, int bits) {
        if (bits < 1 || bits > MAX_BITS) {
            throw new IllegalArgumentException("a codebook of " + bits + " bits");
        }
        return Codebook.uniform(bits, data.low(), data.high()).levels();
    }

    private static WeightedKMeans rounds(Atoms atoms, double[] start) {
        double[] levels = start;
        double[] errors = new double[ROUNDS + 1];
        errors[0] = atoms.error(levels);
        int round = 0;
        while (round < ROUNDS) {
            double[] next = means(atoms, levels);
            double error = atoms.error(next);
            // Rounding of the sums can raise the error of levels that hardly move any more: then they are done.
            if (error >= errors[round]) {
                break;
            }
            levels = next;
            errors[++round] = error;
        }
        return new WeightedKMeans(codebook(levels), Arrays.copyOf(errors, round + 1));
    }

    /** Each level becomes the mean of what is nearest to it; one that nothing is nearest to stays. */
    private static double[] means(Atoms atoms, double[] levels) {
        double[] means = new double[levels.length];
        int from = 0;
        for (int i = 0; i < levels.length; i++) {
            int to = i + 1 < levels.length ? atoms.after((levels[i] + levels[i + 1]) / 2) : atoms.count();
            double weight = atoms.weight(from, to);
            means[i] = weight > 0 ? atoms.sum(from, to) / weight : levels[i];
            from = to;
        }
        Arrays.sort(means);
        return means;
    }

    /** k-means++: each level is an atom drawn with the chance of its weight times its square distance to those drawn before. */
    private static double[] drawn(Atoms atoms, int count, Random random) {
        int n = atoms.count();
        double[] levels = new double[count];
        double[] chances = new double[n];
        for (int i = 0; i < n; i++) {
            chances[i] = atoms.weight(i, i + 1);
        }
        double[] distances = new double[n];
        Arrays.fill(distances, Double.POSITIVE_INFINITY);
        for (int level = 0; level < count; level++) {
            levels[level] = atoms.mean(draw(chances, random));
            for (int i = 0; i < n; i++) {
                double distance = atoms.mean(i) - levels[level];
                distances[i] = Math.min(distances[i], distance * distance);
                chances[i] = distances[i] * atoms.weight(i, i + 1);
            }
        }
        Arrays.sort(levels);
        return levels;
    }

    private static int draw(double[] chances, Random random) {
        double sum = 0;
        for (double chance : chances) {
            sum += chance;
        }
        double left = random.nextDouble() * sum;
        for (int i = 0; i < chances.length; i++) {
            left -= chances[i];
            if (left < 0) {
                return i;
            }
        }
        return chances.length - 1;
    }

    private static Codebook codebook(double[] levels) {
        float[] floats = new float[levels.length];
        for (int i = 0; i < levels.length; i++) {
            floats[i] = (float) levels[i];
        }
        return new Codebook(floats);
    }
}
