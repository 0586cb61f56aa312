package dev.kvasir.train.heads;

import dev.kvasir.cache.CacheShape;
import dev.kvasir.cache.method.locret.RetainingHead;
import dev.kvasir.tensor.Activations;
import dev.kvasir.tensor.RowProducts;
import dev.kvasir.tensor.Workers;
import java.util.Arrays;

/**
 * Loss and gradients of one layer's retaining head on one prompt. Gradients end at W1: nothing flows into the model.
 *
 * <pre>
 *   loss = share * mean over tokens and heads of smoothL1(s - S)
 *        + alpha * mean over neighbours and heads of (s[k] - s[k+1])^2
 *   g = d loss / d s     dW2 = silu(z)^T g     dz = (g W2^T) silu'(z)     dW1 = x^T dz
 * </pre>
 */
final class HeadGradient {
    /** Tokens, or inputs, of one part of the work. */
    private static final int PART = 64;

    private final CacheShape shape;
    private final Workers workers;
    private final double share;
    private final double alpha;
    private float[] hidden = {};
    private float[] active = {};
    private float[] scores = {};
    private float[] slope = {};
    private float[] w1 = {};
    private float[] w2 = {};

    /**
     * Gradients for heads of that shape.
     *
     * @param share what a layer counts in the mean over all: one part in the number of layers
     * @param alpha what the smoothness of neighbours counts
     */
    HeadGradient(CacheShape shape, Workers workers, double share, double alpha) {
        this.shape = shape;
        this.workers = workers;
        this.share = share;
        this.alpha = alpha;
    }

    /**
     * Computes loss and gradients for the first {@code count} tokens.
     *
     * @param labels {@code [count][kvHeads]}
     * @return the loss
     */
    double compute(RetainingHead head, float[] queries, float[] keys, float[] values, int count, float[] labels) {
        int width = head.width();
        int kvHeads = shape.kvHeads();
        hidden = fresh(hidden, count * width);
        active = fresh(active, count * width);
        scores = fresh(scores, count * kvHeads);
        slope = fresh(slope, count * kvHeads);
        parts(count, (from, tokens) -> forward(head, queries, keys, values, from, tokens));
        double loss = slopes(count, labels);
        parts(count, (from, tokens) -> backToHidden(head, from, tokens));
        w2 = zeros(w2, width * kvHeads);
        RowProducts.add(active, 0, 1, width, width, slope, 0, count, kvHeads, w2, 0);
        w1 = zeros(w1, RetainingHead.inputs(shape) * width);
        int queryWidth = shape.heads() * shape.headDim();
        int keyWidth = shape.kvHeads() * shape.headDim();
        backToInputs(queries, queryWidth, 0, width, count);
        backToInputs(keys, keyWidth, queryWidth, width, count);
        backToInputs(values, keyWidth, queryWidth + keyWidth, width, count);
        return loss;
    }

    /** {@code d loss / d W1} of the last computation, {@code [inputs][width]}. */
    float[] w1() {
        return w1;
    }

    /** {@code d loss / d W2} of the last computation, {@code [width][kvHeads]}. */
    float[] w2() {
        return w2;
    }

    /** The scores of the last computation, {@code [count][kvHeads]}. */
    float[] scores() {
        return scores;
    }

    private void forward(RetainingHead head, float[] queries, float[] keys, float[] values, int from, int tokens) {
        int at = from * head.width();
        int end = at + tokens * head.width();
        head.project(queries, keys, values, from, tokens, hidden, at);
        System.arraycopy(hidden, at, active, at, end - at);
        Activations.silu(active, at, end);
        head.output(active, at, tokens, scores, from * shape.kvHeads());
    }

    /** Turns scores into {@code d loss / d score}; gives the loss. */
    private double slopes(int count, float[] labels) {
        int kvHeads = shape.kvHeads();
        double each = share / ((double) count * kvHeads);
        double pair = count > 1 ? alpha / ((count - 1.0) * kvHeads) : 0;
        double loss = 0;
        for (int i = 0; i < count * kvHeads; i++) {
            double off = (double) scores[i] - labels[i];
            double size = Math.abs(off);
            loss += each * (size < 1 ? 0.5 * off * off : size - 0.5);
            double g = each * Math.clamp(off, -1, 1);
            if (i >= kvHeads) {
                double rise = (double) scores[i] - scores[i - kvHeads];
                loss += pair * rise * rise;
                g += 2 * pair * rise;
            }
            if (i < (count - 1) * kvHeads) {
                g += 2 * pair * ((double) scores[i] - scores[i + kvHeads]);
            }
            slope[i] = (float) g;
        }
        return loss;
    }

    /** Turns hidden numbers before the activation into {@code d loss / d hidden}. */
    private void backToHidden(RetainingHead head, int from, int tokens) {
        int width = head.width();
        int kvHeads = shape.kvHeads();
        float[] w = head.w2();
        for (int t = from; t < from + tokens; t++) {
            for (int r = 0; r < width; r++) {
                float back = 0;
                for (int j = 0; j < kvHeads; j++) {
                    back += slope[t * kvHeads + j] * w[r * kvHeads + j];
                }
                float z = hidden[t * width + r];
                float sigmoid = (float) (1 / (1 + Math.exp(-z)));
                hidden[t * width + r] = back * (sigmoid + z * sigmoid * (1 - sigmoid));
            }
        }
    }

    /** Adds {@code x^T dz} to the rows of W1 that belong to these inputs. */
    private void backToInputs(float[] x, int inputs, int firstRow, int width, int count) {
        parts(
                inputs,
                (from, rows) -> RowProducts.add(
                        x, from, 1, inputs, rows, hidden, 0, count, width, w1, (firstRow + from) * width));
    }

    /** Work on {@code count} things beginning with {@code from}. */
    @FunctionalInterface
    private interface Part {
        void run(int from, int count);
    }

    private void parts(int total, Part part) {
        workers.run((total + PART - 1) / PART, i -> part.run(i * PART, Math.min(PART, total - i * PART)));
    }

    private static float[] fresh(float[] array, int length) {
        return array.length == length ? array : new float[length];
    }

    private static float[] zeros(float[] array, int length) {
        float[] zeros = fresh(array, length);
        Arrays.fill(zeros, 0);
        return zeros;
    }
}
