package dev.kvasir.train.net;

import java.util.Arrays;
import java.util.Map;
import java.util.SplittableRandom;
import org.bytedeco.pytorch.NoGradGuard;
import org.bytedeco.pytorch.Tensor;

/**
 * Starting weights with an induction circuit in the first two layers (Olsson et al., arXiv 2209.11895, section on the
 * mechanism): at the scale of a few million tokens plain training does not find one, and without it nothing is ever
 * retrieved from the context. Structured starting weights go back to Trockman and Kolter (arXiv 2305.09828); the circuit
 * is only a beginning, every weight of it is trained on.
 *
 * <p>All tokens share a constant in channel 0, and the last channels of the embedding are empty:
 *
 * <pre>
 *  channel   0          1 .. hidden-2n-1     hidden-2n ..      hidden-n ..
 *          +----------+--------------------+-----------------+-----------------+
 *          | constant | identity of token  | token before    | token before it |
 *          +----------+--------------------+-----------------+-----------------+
 *                                            written by layer 0, heads of KV 0, 1
 * </pre>
 *
 * <p>Layer 0: queries and keys see the constant alone, turned against each other by one (KV head 0) or two (KV head 1)
 * positions of RoPE in its fast pairs, so attention falls on the token one or two places back; its identity, in n
 * dimensions, is written behind the embedding. Layer 1: a query made of the token's identity meets keys made of the
 * identity of the token before, in the slow pairs of RoPE, which hardly depend on distance; what follows the match is
 * written where the embedding is, and so becomes the prediction.
 */
final class InductionStart {
    /** Pairs of RoPE that tell neighbours apart. */
    private static final int FAST_PAIRS = 10;
    /** Size of the constant beside embeddings of norm 1. */
    private static final double CONSTANT = 0.5;
    /** Attention score, after the division by sqrt(headDim), that the wanted position has over others. */
    private static final double NEIGHBOUR_SCORE = 4;

    private static final double MATCH_SCORE = 14;
    /** Norm of what layer 0 writes, beside embeddings of norm 1. */
    private static final double WRITTEN_NORM = 0.7;
    /** Norm of what layer 1 writes. */
    private static final double PREDICTED_NORM = 1.5;

    private final NetShape shape;
    private final SplittableRandom random;
    /** Dimensions that hold an identity for matching: both halves of the slow pairs. */
    private final int identityDims;

    private final int embeddingEnd;

    InductionStart(NetShape shape, long seed) {
        this.shape = shape;
        this.random = new SplittableRandom(seed);
        this.identityDims = shape.headDim() / 2;
        this.embeddingEnd = shape.hiddenSize() - 2 * identityDims;
    }

    /** Whether the shape has room for the circuit: two layers, two KV heads, and enough channels. */
    static boolean fits(NetShape shape) {
        return shape.layers() >= 2
                && shape.kvHeads() >= 2
                && shape.headDim() / 2 > FAST_PAIRS
                && shape.hiddenSize() >= 3 * shape.headDim();
    }

    /** Overwrites the starting weights of the embedding and of the heads that take part. */
    void apply(Map<String, Tensor> parameters) {
        try (NoGradGuard _ = new NoGradGuard()) {
            change(parameters, "embedding", this::embedding);
            float[][] identity = orthonormalRows(identityDims);
            for (int kvHead = 0; kvHead < 2; kvHead++) {
                int offset = kvHead + 1;
                int head = kvHead * (shape.heads() / shape.kvHeads());
                int kv = kvHead;
                int written = embeddingEnd + kvHead * identityDims;
                change(parameters, "layers.0.qkv", w -> lookBack(w, head, kv, offset, identity));
                change(parameters, "layers.0.attentionOutput", w -> write(w, head, written));
                float[][] predicted = orthonormalRows(shape.headDim());
                change(parameters, "layers.1.qkv", w -> match(w, head, kv, identity, predicted));
                change(parameters, "layers.1.attentionOutput", w -> predict(w, head, predicted));
            }
        }
    }

    private interface Change {
        void to(float[] values);
    }

    private static void change(Map<String, Tensor> parameters, String name, Change change) {
        Tensor parameter = parameters.get(name);
        if (parameter == null) {
            throw new IllegalStateException("the net has no parameter " + name);
        }
        float[] values = Tensors.floats(parameter);
        change.to(values);
        parameter.copy_(Tensors.of(values, parameter.shape()));
    }

    private void embedding(float[] values) {
        int hidden = shape.hiddenSize();
        double widen = Math.sqrt((double) hidden / (embeddingEnd - 1));
        for (int at = 0; at < values.length; at++) {
            int channel = at % hidden;
            values[at] = (float) (channel == 0 ? CONSTANT : channel < embeddingEnd ? values[at] * widen : 0);
        }
    }

    /** Layer 0: queries and keys from the constant, values from the identity. */
    private void lookBack(float[] qkv, int head, int kvHead, int offset, float[][] identity) {
        int d = shape.headDim();
        double constant = normedConstant();
        // The closest rival, one place off, loses about 1 of the fast pairs' sum.
        double size = Math.sqrt(NEIGHBOUR_SCORE * Math.sqrt(d)) / constant;
        clear(qkv, queryRow(head, 0), d);
        clear(qkv, keyRow(kvHead, 0), d);
        clear(qkv, valueRow(kvHead, 0), d);
        for (int i = 0; i < FAST_PAIRS; i++) {
            double angle = offset * frequency(i);
            set(qkv, queryRow(head, i), 0, size);
            set(qkv, keyRow(kvHead, i), 0, size * Math.cos(angle));
            set(qkv, keyRow(kvHead, i + d / 2), 0, size * Math.sin(angle));
        }
        for (int i = 0; i < identityDims; i++) {
            setRow(qkv, valueRow(kvHead, i), identity[i], 1);
        }
    }

    private void write(float[] output, int head, int channel) {
        clearHead(output, head);
        double scale = WRITTEN_NORM / identityNorm();
        for (int i = 0; i < identityDims; i++) {
            output[(channel + i) * headsWidth() + head * shape.headDim() + i] = (float) scale;
        }
    }

    /** Layer 1: queries from the identity of this token, keys from the identity of the one before, values to predict. */
    private void match(float[] qkv, int head, int kvHead, float[][] identity, float[][] predicted) {
        int d = shape.headDim();
        int slow = d / 4;
        clear(qkv, queryRow(head, 0), d);
        clear(qkv, keyRow(kvHead, 0), d);
        clear(qkv, valueRow(kvHead, 0), d);
        double total = Math.sqrt(1 + CONSTANT * CONSTANT + 2 * WRITTEN_NORM * WRITTEN_NORM);
        double unit = Math.sqrt((double) shape.hiddenSize()) / total;
        double queryNorm = unit * Math.sqrt((double) identityDims / (embeddingEnd - 1));
        double keyNorm = unit * WRITTEN_NORM;
        double size = Math.sqrt(MATCH_SCORE * Math.sqrt(d) / (queryNorm * keyNorm));
        for (int i = 0; i < identityDims; i++) {
            int dim = i < slow ? d / 4 + i : d / 2 + d / 4 + i - slow;
            setRow(qkv, queryRow(head, dim), identity[i], size);
            set(qkv, keyRow(kvHead, dim), embeddingEnd + i, size);
        }
        for (int i = 0; i < d; i++) {
            setRow(qkv, valueRow(kvHead, i), predicted[i], 1);
        }
    }

    private void predict(float[] output, int head, float[][] predicted) {
        clearHead(output, head);
        int d = shape.headDim();
        double scale = PREDICTED_NORM / (Math.sqrt(shape.hiddenSize()) * Math.sqrt((double) d / embeddingEnd));
        for (int i = 0; i < d; i++) {
            for (int channel = 1; channel < embeddingEnd; channel++) {
                output[channel * headsWidth() + head * d + i] = (float) (scale * predicted[i][channel]);
            }
        }
    }

    private double frequency(int pair) {
        return Math.pow(shape.ropeTheta(), -2.0 * pair / shape.headDim());
    }

    /** The constant after the first RMSNorm. */
    private double normedConstant() {
        return CONSTANT * Math.sqrt(shape.hiddenSize()) / Math.sqrt(1 + CONSTANT * CONSTANT);
    }

    /** Norm of an identity read behind the first RMSNorm. */
    private double identityNorm() {
        return Math.sqrt(shape.hiddenSize())
                / Math.sqrt(1 + CONSTANT * CONSTANT)
                * Math.sqrt((double) identityDims / (embeddingEnd - 1));
    }

    /** Orthonormal rows over the channels of the embedding, by Gram and Schmidt. */
    private float[][] orthonormalRows(int rows) {
        double[][] basis = new double[rows][shape.hiddenSize()];
        for (int r = 0; r < rows; r++) {
            for (int c = 1; c < embeddingEnd; c++) {
                basis[r][c] = random.nextGaussian();
            }
            for (int before = 0; before < r; before++) {
                double along = dot(basis[r], basis[before]);
                for (int c = 1; c < embeddingEnd; c++) {
                    basis[r][c] -= along * basis[before][c];
                }
            }
            double norm = Math.sqrt(dot(basis[r], basis[r]));
            for (int c = 1; c < embeddingEnd; c++) {
                basis[r][c] /= norm;
            }
        }
        float[][] result = new float[rows][shape.hiddenSize()];
        for (int r = 0; r < rows; r++) {
            for (int c = 0; c < shape.hiddenSize(); c++) {
                result[r][c] = (float) basis[r][c];
            }
        }
        return result;
    }

    private static double dot(double[] a, double[] b) {
        double sum = 0;
        for (int i = 0; i < a.length; i++) {
            sum += a[i] * b[i];
        }
        return sum;
    }

    private int queryRow(int head, int dim) {
        return head * shape.headDim() + dim;
    }

    private int keyRow(int kvHead, int dim) {
        return (shape.heads() + kvHead) * shape.headDim() + dim;
    }

    private int valueRow(int kvHead, int dim) {
        return (shape.heads() + shape.kvHeads() + kvHead) * shape.headDim() + dim;
    }

    private int headsWidth() {
        return shape.heads() * shape.headDim();
    }

    private void clear(float[] matrix, int row, int rows) {
        Arrays.fill(matrix, row * shape.hiddenSize(), (row + rows) * shape.hiddenSize(), 0);
    }

    private void clearHead(float[] output, int head) {
        for (int channel = 0; channel < shape.hiddenSize(); channel++) {
            int from = channel * headsWidth() + head * shape.headDim();
            Arrays.fill(output, from, from + shape.headDim(), 0);
        }
    }

    private void set(float[] matrix, int row, int column, double value) {
        matrix[row * shape.hiddenSize() + column] = (float) value;
    }

    private void setRow(float[] matrix, int row, float[] values, double scale) {
        for (int c = 0; c < shape.hiddenSize(); c++) {
            set(matrix, row, c, scale * values[c]);
        }
    }
}
