package dev.kvasir.cache.codebook;

import java.util.Arrays;

/** The levels of a scalar quantizer, ascending; a code is the index of the nearest one, of two equally near the lower. */
public final class Codebook {
    /** Levels of the widest codebook. */
    public static final int MAX_LEVELS = 256;

    private final float[] levels;
    /** {@code borders[i]} is the largest number of code {@code i}. */
    private final float[] borders;

    /**
     * A codebook of these levels.
     *
     * @throws IllegalArgumentException unless there are 1 to 256 finite levels in ascending order; equal ones are allowed
     */
    public Codebook(float[] levels) {
        this.levels = levels.clone();
        if (levels.length < 1 || levels.length > MAX_LEVELS) {
            throw new IllegalArgumentException("a codebook of " + levels.length + " levels");
        }
        borders = new float[levels.length - 1];
        for (int i = 0; i < levels.length; i++) {
            if (!Float.isFinite(levels[i]) || (i > 0 && levels[i] < levels[i - 1])) {
                throw new IllegalArgumentException(
                        "codebook level " + i + " is " + levels[i] + " after the one before");
            }
        }
        for (int i = levels.length - 2; i >= 0; i--) {
            float next = i + 1 < borders.length ? borders[i + 1] : Float.POSITIVE_INFINITY;
            // Of equal levels only the first is ever chosen.
            borders[i] = levels[i] == levels[i + 1] ? next : border(levels[i], levels[i + 1]);
        }
    }

    /** The largest float that is at least as near to {@code low} as to {@code high}; sums and halves of floats are exact in double. */
    private static float border(float low, float high) {
        double middle = ((double) low + high) / 2;
        float border = (float) middle;
        return border > middle ? Math.nextDown(border) : border;
    }

    /** {@code 2^bits} levels at equal distances, the first at {@code low}, the last at {@code high}. */
    public static Codebook uniform(int bits, float low, float high) {
        int size = 1 << bits;
        float[] levels = new float[size];
        for (int i = 0; i < size; i++) {
            levels[i] = (float) (low + ((double) high - low) * i / (size - 1));
        }
        return new Codebook(levels);
    }

    /** How many levels. */
    public int size() {
        return levels.length;
    }

    /** The number that a code stands for. */
    public float level(int code) {
        return levels[code];
    }

    /** A copy of the levels. */
    public float[] levels() {
        return levels.clone();
    }

    /** A copy of the borders, ascending: a number's code is the count of borders below it. */
    public float[] borders() {
        return borders.clone();
    }

    /** The code of a number. */
    public int code(float x) {
        int low = 0;
        int high = borders.length;
        while (low < high) {
            int middle = (low + high) >>> 1;
            if (x <= borders[middle]) {
                high = middle;
            } else {
                low = middle + 1;
            }
        }
        return low;
    }

    /** The level nearest to a number. */
    public float round(float x) {
        return levels[code(x)];
    }

    /** The codebook of levels {@code level * scale + shift}, {@code scale > 0}. */
    public Codebook scaled(double scale, double shift) {
        float[] moved = new float[levels.length];
        for (int i = 0; i < levels.length; i++) {
            moved[i] = (float) (levels[i] * scale + shift);
        }
        return new Codebook(moved);
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof Codebook codebook && Arrays.equals(levels, codebook.levels);
    }

    @Override
    public int hashCode() {
        return Arrays.hashCode(levels);
    }

    @Override
    public String toString() {
        return Arrays.toString(levels);
    }
}
