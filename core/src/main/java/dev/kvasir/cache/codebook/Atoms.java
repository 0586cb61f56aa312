package dev.kvasir.cache.codebook;

/** Groups of numbers that share a level whatever the levels are, in ascending order of their means, with running sums. */
final class Atoms {
    private final int count;
    private final double[] means;
    private final double[] weights;
    private final double[] sums;
    private final double[] squares;

    Atoms(int count) {
        this.count = count;
        means = new double[count];
        weights = new double[count + 1];
        sums = new double[count + 1];
        squares = new double[count + 1];
    }

    void set(int i, double weight, double sum, double square) {
        means[i] = sum / weight;
        weights[i + 1] = weights[i] + weight;
        sums[i + 1] = sums[i] + sum;
        squares[i + 1] = squares[i] + square;
    }

    int count() {
        return count;
    }

    double mean(int i) {
        return means[i];
    }

    double weight(int from, int to) {
        return weights[to] - weights[from];
    }

    double sum(int from, int to) {
        return sums[to] - sums[from];
    }

    /** Weighted square distance of atoms {@code from .. to - 1} to a level. */
    double error(int from, int to, double level) {
        return squares[to] - squares[from] - 2 * level * sum(from, to) + level * level * weight(from, to);
    }

    /** The same to the best level, their mean. */
    double error(int from, int to) {
        double weight = weight(from, to);
        double sum = sum(from, to);
        return weight > 0 ? Math.max(0, squares[to] - squares[from] - sum * sum / weight) : 0;
    }

    /** The first atom beyond {@code border}. */
    int after(double border) {
        int low = 0;
        int high = count;
        while (low < high) {
            int middle = (low + high) >>> 1;
            if (means[middle] <= border) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        return low;
    }

    /** Weighted square distance of all to the nearest of some ascending levels. */
    double error(double[] levels) {
        double error = 0;
        int from = 0;
        for (int i = 0; i < levels.length; i++) {
            int to = i + 1 < levels.length ? after((levels[i] + levels[i + 1]) / 2) : count;
            error += error(from, to, levels[i]);
            from = to;
        }
        return error;
    }
}
