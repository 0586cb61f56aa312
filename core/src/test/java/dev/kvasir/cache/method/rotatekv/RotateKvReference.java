package dev.kvasir.cache.method.rotatekv;

import dev.kvasir.cache.CacheShape;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;

/**
 * RotateKV as its specification says it, in doubles and plain loops: dense Hadamard matrices, quantize, dequantize, restore all
 * keys, attend. Parameters are F16 scales and integer zeros.
 */
final class RotateKvReference {
    private final CacheShape shape;
    private final RotateKvSteps steps;
    private final int[][] orders;
    private final int groupHeads;
    private final boolean before;
    private final int bits;
    private final int group;
    private final double clip;
    private final int sinkEntries;

    RotateKvReference(
            CacheShape shape,
            RotateKvSteps steps,
            int[][] orders,
            int groupHeads,
            boolean before,
            int bits,
            int group,
            double clip,
            int sinkEntries) {
        this.shape = shape;
        this.steps = steps;
        this.orders = orders;
        this.groupHeads = groupHeads;
        this.before = before;
        this.bits = bits;
        this.group = group;
        this.clip = clip;
        this.sinkEntries = sinkEntries;
    }

    /** Rows of {@code heads * headDim} channels times the Hadamard matrix of Sylvester's order in blocks of {@code block}. */
    static double[] hadamard(double[] rows, int block) {
        double[] out = new double[rows.length];
        for (int i = 0; i < rows.length; i++) {
            int base = i / block * block;
            for (int j = 0; j < block; j++) {
                out[i] += (Integer.bitCount(i % block & j) % 2 == 0 ? 1 : -1) * rows[base + j];
            }
            out[i] /= Math.sqrt(block);
        }
        return out;
    }

    /** The numbers that a group is read back as. */
    double[] quantized(double[] group) {
        double min = clip * Arrays.stream(group).min().orElseThrow();
        double max = clip * Arrays.stream(group).max().orElseThrow();
        int most = (1 << bits) - 1;
        float wanted = (float) ((max - min) / most);
        float scale = Float.float16ToFloat(Float.floatToFloat16(wanted));
        if (scale < wanted && clip == 1) {
            scale = Float.float16ToFloat((short) (Float.floatToFloat16(wanted) + 1));
        }
        double zero = Math.rint(-min / scale);
        double[] out = new double[group.length];
        for (int i = 0; i < group.length; i++) {
            double code = Math.clamp(Math.rint(group[i] / scale) + zero, 0, most);
            out[i] = scale * (code - zero);
        }
        return out;
    }

    private double[] quantizedGroups(double[] row) {
        double[] out = new double[row.length];
        for (int i = 0; i < row.length; i += group) {
            double[] part = quantized(Arrays.copyOfRange(row, i, i + group));
            System.arraycopy(part, 0, out, i, group);
        }
        return out;
    }

    /** The tokens of the largest entries of the residual stream of a prompt. */
    Set<Integer> sinks(int layer, int prompt) {
        float[] residual = steps.residual(layer, 0, prompt);
        List<Integer> entries = new ArrayList<>();
        for (int i = 0; i < residual.length; i++) {
            entries.add(i);
        }
        entries.sort(Comparator.comparingDouble(i -> -Math.abs(residual[i])));
        Set<Integer> tokens = new TreeSet<>();
        entries.stream().limit(sinkEntries).forEach(i -> tokens.add(i / shape.hiddenSize()));
        return tokens;
    }

    /** Keys after RoPE as attention sees them, {@code [tokens][channels]}. */
    double[][] keys(int layer, int tokens, Set<Integer> exact) {
        double[][] all = new double[tokens][];
        for (int t = 0; t < tokens; t++) {
            float[] key = steps.keysBeforeRope(layer, t, 1);
            float[] turned = steps.rope(key, t);
            all[t] = exact.contains(t) ? half(turned) : key(layer, t, before ? key : turned);
        }
        return all;
    }

    private double[] key(int layer, int token, float[] key) {
        int[] order = orders[layer];
        double[] rotated = hadamard(doubles(key), groupHeads * shape.headDim());
        double[] permuted = new double[rotated.length];
        for (int j = 0; j < permuted.length; j++) {
            permuted[j] = rotated[order[j]];
        }
        double[] read = quantizedGroups(permuted);
        double[] back = new double[read.length];
        for (int j = 0; j < read.length; j++) {
            back[order[j]] = read[j];
        }
        double[] restored = hadamard(back, groupHeads * shape.headDim());
        return before ? doubles(steps.rope(floats(restored), token)) : restored;
    }

    /** Values as attention sees them. */
    double[][] values(int layer, int tokens, Set<Integer> exact) {
        double[][] all = new double[tokens][];
        for (int t = 0; t < tokens; t++) {
            double[] rotated = hadamard(doubles(steps.values(layer, t, 1)), shape.headDim());
            double[] kept = exact.contains(t) ? half(floats(rotated)) : quantizedGroups(rotated);
            all[t] = hadamard(kept, shape.headDim());
        }
        return all;
    }

    /** Output of token {@code token}, {@code [heads][headDim]}, which sees those keys and values up to itself. */
    float[] attend(int layer, int token, double[][] keys, double[][] values) {
        int d = shape.headDim();
        float[] queries = steps.queries(layer, token, 1);
        float[] out = new float[shape.heads() * d];
        for (int head = 0; head < shape.heads(); head++) {
            int kv = head / shape.queriesPerKvHead() * d;
            double[] weights = new double[token + 1];
            double max = Double.NEGATIVE_INFINITY;
            for (int t = 0; t <= token; t++) {
                for (int c = 0; c < d; c++) {
                    weights[t] += queries[head * d + c] * keys[t][kv + c];
                }
                weights[t] /= Math.sqrt(d);
                max = Math.max(max, weights[t]);
            }
            double sum = 0;
            for (int t = 0; t <= token; t++) {
                weights[t] = Math.exp(weights[t] - max);
                sum += weights[t];
            }
            for (int c = 0; c < d; c++) {
                double value = 0;
                for (int t = 0; t <= token; t++) {
                    value += weights[t] * values[t][kv + c];
                }
                out[head * d + c] = (float) (value / sum);
            }
        }
        return out;
    }

    private static double[] half(float[] row) {
        double[] out = new double[row.length];
        for (int i = 0; i < row.length; i++) {
            out[i] = Float.float16ToFloat(Float.floatToFloat16(row[i]));
        }
        return out;
    }

    private static double[] doubles(float[] row) {
        double[] out = new double[row.length];
        for (int i = 0; i < row.length; i++) {
            out[i] = row[i];
        }
        return out;
    }

    private static float[] floats(double[] row) {
        float[] out = new float[row.length];
        for (int i = 0; i < row.length; i++) {
            out[i] = (float) row[i];
        }
        return out;
    }
}
