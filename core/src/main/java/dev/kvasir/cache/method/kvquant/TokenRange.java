package dev.kvasir.cache.method.kvquant;

import dev.kvasir.cache.correction.Extremes;
import java.util.Arrays;

/**
 * The range of one token's numbers and its outliers, found as the token comes. Serves one thread.
 *
 * <p>With thresholds for each vector the {@code perSide} smallest and largest numbers are outliers by rank, whatever they
 * are, and the range is that of the others: a selection, not a sort, since it is on the way of every decoded token.
 */
final class TokenRange {
    private final Thresholds thresholds;
    private final int width;
    private final int perSide;
    /** Of the whole layer, where they decide. */
    private final float lowest;

    private final float highest;
    private final Extremes extremes = new Extremes();
    private final int[] channels;
    private int count;
    private float scale;
    private float offset;

    /** Ranges of tokens of {@code width} numbers. */
    TokenRange(Thresholds thresholds, int width, int perSide, float lowest, float highest) {
        this.thresholds = thresholds;
        this.width = width;
        this.perSide = perSide;
        this.lowest = lowest;
        this.highest = highest;
        this.channels = new int[width];
    }

    /** Channels of the outliers, ascending, {@link #count} of them. */
    int[] channels() {
        return channels;
    }

    int count() {
        return count;
    }

    /** Half the width of the inliers' range. */
    float scale() {
        return scale;
    }

    /** The middle of the inliers' range. */
    float offset() {
        return offset;
    }

    /** Looks at the numbers from {@code at} on. */
    void fit(float[] row, int at) {
        count = 0;
        if (thresholds == Thresholds.VECTOR) {
            extremes.find(row, at, 1, width, perSide);
            extremes.findRest(row, at, 1, width);
            count = 2 * perSide;
            System.arraycopy(extremes.indices(), 0, channels, 0, count);
            Arrays.sort(channels, 0, count);
            range(extremes.low(), extremes.high());
            return;
        }
        float low = Float.NaN;
        float high = Float.NaN;
        for (int c = 0; c < width; c++) {
            float x = row[at + c];
            if (thresholds == Thresholds.GLOBAL && (x < lowest || x > highest)) {
                channels[count++] = c;
            } else {
                low = low <= x ? low : x;
                high = high >= x ? high : x;
            }
        }
        range(low, high);
    }

    private void range(float low, float high) {
        // Not a number: every number is an outlier, whose delta then is the number itself.
        scale = Float.isNaN(low) ? 0 : (high - low) / 2;
        offset = Float.isNaN(low) ? 0 : low + (high - low) / 2;
    }
}
