package dev.kvasir.cache.method.minicache;

import dev.kvasir.cache.CacheFileException;
import java.io.DataInput;
import java.io.DataOutput;
import java.io.IOException;
import java.util.Arrays;

/**
 * Decides which tokens of a pair are not merged (MiniCache, arXiv 2405.14366, section 4.2): those whose distance {@code d = angle / pi}
 * is in the upper part {@code gamma} of the range of all distances so far, {@code d >= max - gamma (max - min)}. Each token is
 * decided once, with the range that includes all tokens that came with it.
 *
 * <p>The range before each token that widened it is remembered, as far as {@value #HISTORY} steps back, so that forgetting
 * tokens leaves no trace.
 */
final class Retention {
    /** Steps that widened the range and can be taken back; a random sequence has about twice the logarithm of its length. */
    private static final int HISTORY = 48;

    private final Rule rule;
    /** First token of each step that widened the range, ascending, and the range since then. */
    private final int[] starts = new int[HISTORY];

    private final double[] least = new double[HISTORY];
    private final double[] most = new double[HISTORY];
    private int steps;
    /** Whether steps were dropped from the history. */
    private boolean forgotten;

    /** What makes a token stay. */
    enum Mode {
        /** The upper part of the range of distances: the paper's. */
        RANGE,
        /** A share of all tokens, the most distant of those that come together. */
        TOP,
        /** Nothing. */
        OFF
    }

    /**
     * The rule of a cache.
     *
     * @param gamma part of the range, 0 to 1
     * @param topFraction share of the tokens, 0 to 1
     */
    record Rule(Mode mode, double gamma, double topFraction) {}

    /** Of no token yet. */
    Retention(Rule rule) {
        this.rule = rule;
    }

    /**
     * Decides the next {@code count} tokens.
     *
     * @param distances of the tokens, 0 to 1
     * @param first slot of the first of them
     * @param kept tokens kept so far
     * @param retained receives true where a token is kept; where it is true already it stays so
     */
    void decide(double[] distances, int count, int first, int kept, boolean[] retained) {
        widen(distances, count, first);
        switch (rule.mode()) {
            case OFF -> {}
            case RANGE -> {
                double threshold = (1 - rule.gamma()) * most[steps - 1] + rule.gamma() * least[steps - 1];
                for (int i = 0; i < count; i++) {
                    retained[i] |= distances[i] >= threshold;
                }
            }
            case TOP -> keepMostDistant(distances, count, first, kept, retained);
        }
    }

    private void widen(double[] distances, int count, int first) {
        double low = steps == 0 ? Double.POSITIVE_INFINITY : least[steps - 1];
        double high = steps == 0 ? Double.NEGATIVE_INFINITY : most[steps - 1];
        boolean wider = false;
        for (int i = 0; i < count; i++) {
            wider |= distances[i] < low || distances[i] > high;
            low = Math.min(low, distances[i]);
            high = Math.max(high, distances[i]);
        }
        if (!wider) {
            return;
        }
        if (steps == HISTORY) {
            System.arraycopy(starts, 1, starts, 0, HISTORY - 1);
            System.arraycopy(least, 1, least, 0, HISTORY - 1);
            System.arraycopy(most, 1, most, 0, HISTORY - 1);
            steps--;
            forgotten = true;
        }
        starts[steps] = first;
        least[steps] = low;
        most[steps] = high;
        steps++;
    }

    private void keepMostDistant(double[] distances, int count, int first, int kept, boolean[] retained) {
        int quota = (int) Math.min(count, Math.floor(rule.topFraction() * (first + count)) - kept);
        if (quota <= 0) {
            return;
        }
        double[] sorted = Arrays.copyOf(distances, count);
        Arrays.sort(sorted);
        double threshold = sorted[count - quota];
        int above = 0;
        for (int i = 0; i < count; i++) {
            above += distances[i] > threshold ? 1 : 0;
        }
        int ties = quota - above;
        for (int i = 0; i < count; i++) {
            if (distances[i] > threshold || (distances[i] == threshold && ties-- > 0)) {
                retained[i] = true;
            }
        }
    }

    /** The smallest number of tokens that {@link #truncate} can bring this to. */
    int smallestSize() {
        return forgotten ? starts[0] + 1 : 0;
    }

    /** Forgets the tokens from slot {@code size} on, and the range that they made. */
    void truncate(int size) {
        while (steps > 0 && starts[steps - 1] >= size) {
            steps--;
        }
    }

    /** The same decisions so far. */
    Retention fork() {
        Retention fork = new Retention(rule);
        System.arraycopy(starts, 0, fork.starts, 0, steps);
        System.arraycopy(least, 0, fork.least, 0, steps);
        System.arraycopy(most, 0, fork.most, 0, steps);
        fork.steps = steps;
        fork.forgotten = forgotten;
        return fork;
    }

    /** Writes what {@link #read} needs. */
    void write(DataOutput out) throws IOException {
        out.writeBoolean(forgotten);
        out.writeInt(steps);
        for (int i = 0; i < steps; i++) {
            out.writeInt(starts[i]);
            out.writeDouble(least[i]);
            out.writeDouble(most[i]);
        }
    }

    /** Reads the decisions on {@code size} tokens. */
    void read(DataInput in, int size) throws IOException {
        boolean dropped = in.readBoolean();
        int found = in.readInt();
        int fewest = size > 0 ? 1 : 0;
        if (found < fewest || found > Math.min(HISTORY, size)) {
            throw new CacheFileException("ranges of distances: found " + found + ", allowed are " + fewest + " to "
                    + Math.min(HISTORY, size));
        }
        for (int i = 0; i < found; i++) {
            starts[i] = in.readInt();
            least[i] = in.readDouble();
            most[i] = in.readDouble();
            int from = i == 0 ? 0 : starts[i - 1] + 1;
            if (starts[i] < from || starts[i] >= size || !(0 <= least[i] && least[i] <= most[i] && most[i] <= 1)) {
                throw new CacheFileException("range of distances " + i + ": found " + least[i] + " to " + most[i]
                        + " since token " + starts[i] + ", allowed are parts of 0 to 1 since tokens " + from + " to "
                        + (size - 1));
            }
        }
        steps = found;
        forgotten = dropped && found > 0;
    }
}
