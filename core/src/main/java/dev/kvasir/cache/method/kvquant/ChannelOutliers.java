package dev.kvasir.cache.method.kvquant;

import dev.kvasir.cache.correction.Extremes;
import java.util.Arrays;

/**
 * Finds a token's numbers beyond the ranges of their channels. Serves one thread.
 *
 * <p>With room for {@code perSide} numbers on each side the farthest are kept and the others stay clamped, an error and no
 * failure.
 */
final class ChannelOutliers {
    private final KvQuantTables.Ranges ranges;
    private final int perSide;
    private final Extremes extremes = new Extremes();
    private final float[] normalized;
    private final int[] channels;
    private int count;
    private int clamped;

    /** Outliers beyond {@code ranges}; {@code perSide} 0 for room for all of them. */
    ChannelOutliers(KvQuantTables.Ranges ranges, int perSide) {
        this.ranges = ranges;
        this.perSide = perSide;
        this.normalized = new float[ranges.scales().length];
        this.channels = new int[ranges.scales().length];
    }

    /** Channels of the outliers, ascending, {@link #count} of them. */
    int[] channels() {
        return channels;
    }

    int count() {
        return count;
    }

    /** Numbers beyond their ranges for which there was no room. */
    int clamped() {
        return clamped;
    }

    /** Looks at the numbers from {@code at} on. */
    void find(float[] row, int at) {
        count = 0;
        clamped = 0;
        int above = 0;
        for (int c = 0; c < normalized.length; c++) {
            float x = ranges.normalized(row[at + c], c);
            normalized[c] = x;
            if (ranges.outlier(row[at + c], x)) {
                channels[count++] = c;
                above += x > 0 ? 1 : 0;
            }
        }
        if (perSide > 0 && Math.max(above, count - above) > perSide) {
            keepFarthest(row, at);
        }
    }

    private void keepFarthest(float[] row, int at) {
        int found = count;
        extremes.find(normalized, 0, 1, normalized.length, perSide);
        count = 0;
        for (int i = 0; i < 2 * perSide; i++) {
            int c = extremes.indices()[i];
            if (ranges.outlier(row[at + c], normalized[c])) {
                channels[count++] = c;
            }
        }
        Arrays.sort(channels, 0, count);
        clamped = found - count;
    }
}
