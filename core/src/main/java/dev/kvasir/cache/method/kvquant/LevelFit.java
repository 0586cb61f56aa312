package dev.kvasir.cache.method.kvquant;

import dev.kvasir.cache.codebook.Codebook;
import dev.kvasir.cache.codebook.QNorm;
import dev.kvasir.cache.codebook.WeightedHistogram;
import dev.kvasir.cache.codebook.WeightedKMeans;

/**
 * Normalised inliers of one layer and arrangement, and what is fitted to them: levels by weighted k-means, and Q-Norm's
 * levels of the same moments as the numbers before.
 *
 * <p>Numbers in [-1, 1] are kept as counts and weights over fine bins, so that memory does not grow with the text.
 */
final class LevelFit {
    private static final int BINS = 1 << 13;
    private static final int SEED = 0;

    private final int[] counts = new int[BINS];
    private final double[] fisher = new double[BINS];
    private final double[] fisherRange = new double[BINS];
    private double sum;
    private double squares;
    private long count;

    /** Takes in a number of a vector whose range is {@code 2 * scale} wide. */
    void add(float x, float weight, float scale) {
        int bin = Math.clamp((long) ((x + 1) * (BINS / 2)), 0, BINS - 1);
        counts[bin]++;
        fisher[bin] += weight;
        fisherRange[bin] += (double) weight * scale * scale;
        sum += x;
        squares += (double) x * x;
        count++;
    }

    private static double middle(int bin) {
        return (bin + 0.5) / (BINS / 2) - 1;
    }

    /** All numbers with their weights, brought to [0, 1]: squared gradients may be smaller than a float can be. */
    WeightedHistogram histogram(Weighting weighting) {
        double largest = 0;
        for (int bin = 0; bin < BINS; bin++) {
            largest = Math.max(largest, weight(weighting, bin));
        }
        WeightedHistogram histogram = new WeightedHistogram(-1, 1);
        for (int bin = 0; bin < BINS; bin++) {
            double weight = weight(weighting, bin);
            if (weight > 0) {
                histogram.add((float) middle(bin), (float) (weight / largest));
            }
        }
        return histogram;
    }

    /** Levels of codes of so many bits, strictly ascending. */
    static float[] levels(WeightedHistogram histogram, int bits) {
        float[] levels = WeightedKMeans.fit(histogram, bits, SEED).codebook().levels();
        for (int i = 1; i < levels.length; i++) {
            levels[i] = Math.max(levels[i], Math.nextUp(levels[i - 1]));
        }
        return levels;
    }

    private double weight(Weighting weighting, int bin) {
        return switch (weighting) {
            case FISHER -> fisher[bin];
            case FISHER_RANGE -> fisherRange[bin];
            case NONE -> counts[bin];
        };
    }

    /** What codes of these levels must mean for mean and deviation of all numbers to stay as they are. */
    float[] meanings(float[] levels) {
        QNorm norm = norm(new Codebook(levels));
        float[] meanings = new float[levels.length];
        for (int i = 0; i < levels.length; i++) {
            meanings[i] = (float) (levels[i] * norm.scale() + norm.shift());
        }
        return meanings;
    }

    private QNorm norm(Codebook codebook) {
        if (count == 0) {
            return QNorm.NONE;
        }
        float[] borders = codebook.borders();
        double rounded = 0;
        double roundedSquares = 0;
        for (int i = 0; i < codebook.size(); i++) {
            double upTo = i < borders.length ? below(borders[i]) : count;
            double here = upTo - (i == 0 ? 0 : below(borders[i - 1]));
            rounded += here * codebook.level(i);
            roundedSquares += here * codebook.level(i) * codebook.level(i);
        }
        double mean = sum / count;
        double roundedMean = rounded / count;
        double variance = squares / count - mean * mean;
        double roundedVariance = roundedSquares / count - roundedMean * roundedMean;
        double scale = variance > 0 && roundedVariance > 0 ? Math.sqrt(variance / roundedVariance) : 1;
        return new QNorm(scale, mean - roundedMean * scale);
    }

    /** Numbers below {@code x}, the bin that it cuts read as if evenly filled. */
    private double below(float x) {
        double place = (x + 1.0) * (BINS / 2);
        int cut = (int) Math.clamp(place, 0, BINS - 1);
        long whole = 0;
        for (int bin = 0; bin < cut; bin++) {
            whole += counts[bin];
        }
        return whole + counts[cut] * Math.clamp(place - cut, 0.0, 1.0);
    }
}
