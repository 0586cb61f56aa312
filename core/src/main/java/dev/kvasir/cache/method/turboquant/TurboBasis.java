package dev.kvasir.cache.method.turboquant;

import java.util.Arrays;
import java.util.List;

/**
 * How a head's channels are dealt to its parts: all to the one part, or those of largest magnitude in the first tokens to the
 * part with more bits and the rest to the other, each in ascending order.
 */
final class TurboBasis {
    private final List<TurboPart> parts;
    private final int headDim;
    /** Channels in the order of the parts; null until the first tokens decide. */
    private int[] order;

    TurboBasis(List<TurboPart> parts, int headDim) {
        this.parts = parts;
        this.headDim = headDim;
        this.order = new int[parts.size() == 1 ? headDim : 0];
        Arrays.setAll(order, i -> i);
    }

    private TurboBasis(TurboBasis other) {
        parts = other.parts;
        headDim = other.headDim;
        order = other.order;
    }

    TurboBasis copy() {
        return new TurboBasis(this);
    }

    boolean decided() {
        return order.length == headDim;
    }

    int[] order() {
        return order;
    }

    void order(int[] channels) {
        order = channels;
    }

    /** Chooses the channels by their sums of squares over the first tokens; ties go to the lower channel. */
    void decide(float[] rows, int offset, int stride, int count) {
        double[] squares = new double[headDim];
        for (int t = 0; t < count; t++) {
            for (int c = 0; c < headDim; c++) {
                double x = rows[offset + t * stride + c];
                squares[c] += x * x;
            }
        }
        Integer[] bySize = new Integer[headDim];
        Arrays.setAll(bySize, i -> i);
        Arrays.sort(bySize, (a, b) -> Double.compare(squares[b], squares[a]));
        int[] chosen = new int[headDim];
        Arrays.setAll(chosen, i -> bySize[i]);
        int outliers = parts.getFirst().width();
        Arrays.sort(chosen, 0, outliers);
        Arrays.sort(chosen, outliers, headDim);
        order = chosen;
    }

    /** Gathers a part's channels of {@code count} rows into {@code out[count][width]}. */
    void gather(int firstChannel, int width, float[] rows, int offset, int stride, int count, float[] out, int at) {
        for (int t = 0; t < count; t++) {
            int row = offset + t * stride;
            for (int c = 0; c < width; c++) {
                out[at + t * width + c] = rows[row + order[firstChannel + c]];
            }
        }
    }
}
