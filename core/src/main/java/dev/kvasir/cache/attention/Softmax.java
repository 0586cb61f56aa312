package dev.kvasir.cache.attention;

import dev.kvasir.cache.kernel.Kernels;
import java.util.Arrays;

/**
 * The running softmax of rows that meet their scores tile by tile (Milakov and Gimelshein 2018): scores become weights
 * under the largest score so far, and what was summed under a smaller one is brought down to it.
 */
final class Softmax {
    private final Kernels kernels;
    private final int stride;

    /** Rows of scores are {@code stride} numbers apart. */
    Softmax(Kernels kernels, int stride) {
        this.kernels = kernels;
        this.stride = stride;
    }

    /** Forgets what the first {@code rows} rows summed. */
    void reset(StepScratch s, int rows) {
        Arrays.fill(s.sums, 0, rows * s.sumWidth, 0f);
        Arrays.fill(s.maxima, 0, rows, Float.NEGATIVE_INFINITY);
        Arrays.fill(s.totals, 0, rows, 0f);
    }

    /** Turns the first {@code seen} scores of a row into weights under the running maximum, those up to {@code slots} into 0. */
    void weigh(StepScratch s, int row, int seen, int slots) {
        int at = row * stride;
        if (seen > 0) {
            float max = kernels.max(s.scores, at, seen);
            if (max > s.maxima[row]) {
                raise(s, row, max);
            }
            s.totals[row] += kernels.expSum(s.scores, at, seen, s.maxima[row]);
        }
        if (seen < slots) {
            Arrays.fill(s.scores, at + seen, at + slots, 0f);
        }
    }

    /** Sets the running maximum, which must not fall, and brings what was summed under the old one down to it. */
    private void raise(StepScratch s, int row, float max) {
        float old = s.maxima[row];
        s.maxima[row] = max;
        if (old != Float.NEGATIVE_INFINITY && old != max) {
            float shrink = (float) Math.exp(old - max);
            kernels.scale(s.sums, row * s.sumWidth, s.sumWidth, shrink);
            s.totals[row] *= shrink;
        }
    }

    /** Numbers that {@link #save} writes for {@code rows} rows of sums of {@code sumWidth} numbers. */
    static int savedSize(int rows, int sumWidth) {
        return rows * (sumWidth + 2);
    }

    /** Writes sums, maxima and totals of the first {@code rows} rows. */
    void save(StepScratch s, int rows, float[] out, int at) {
        int width = s.sumWidth;
        System.arraycopy(s.sums, 0, out, at, rows * width);
        System.arraycopy(s.maxima, 0, out, at + rows * width, rows);
        System.arraycopy(s.totals, 0, out, at + rows * (width + 1), rows);
    }

    /** Adds what {@link #save} wrote, of other slots of the same rows. */
    void merge(StepScratch s, int rows, float[] saved, int at) {
        int width = s.sumWidth;
        for (int r = 0; r < rows; r++) {
            float max = saved[at + rows * width + r];
            if (max == Float.NEGATIVE_INFINITY) {
                continue;
            }
            raise(s, r, Math.max(max, s.maxima[r]));
            float weight = (float) Math.exp(max - s.maxima[r]);
            s.totals[r] += weight * saved[at + rows * (width + 1) + r];
            for (int c = 0; c < width; c++) {
                s.sums[r * width + c] += weight * saved[at + r * width + c];
            }
        }
    }
}
