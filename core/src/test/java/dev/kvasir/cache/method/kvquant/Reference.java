package dev.kvasir.cache.method.kvquant;

import dev.kvasir.cache.CacheShape;
import dev.kvasir.cache.Calibration;
import dev.kvasir.cache.Steps;
import dev.kvasir.cache.TokenStates;
import dev.kvasir.cache.kernel.Element;
import java.util.Arrays;
import java.util.Comparator;
import java.util.stream.IntStream;

/** KVQuant with its defaults by plain loops from the paper: dequantize, rotate, attend in double. */
final class Reference {
    private final CacheShape shape;
    private final Calibration calibration;
    private final int bits;
    private final int sinks;
    private final int perSide;
    private final int width;

    Reference(CacheShape shape, Calibration calibration, int bits, int sinks) {
        this.shape = shape;
        this.calibration = calibration;
        this.bits = bits;
        this.sinks = sinks;
        this.width = shape.kvHeads() * shape.headDim();
        this.perSide = (int) Math.floor(0.005 * width) + 1;
    }

    private float[] levels(String side, int layer, boolean decode) {
        Integer count = 1 << bits;
        float[] data = calibration.data(side + ".fisher.nuq" + bits, shape.layers(), 2, count);
        int row = 2 * layer + (decode && bits == 2 ? 1 : 0);
        return Arrays.copyOfRange(data, row * count, (row + 1) * count);
    }

    private static int nearest(float[] levels, float x) {
        int best = 0;
        for (int i = 1; i < levels.length; i++) {
            if (Math.abs((double) x - levels[i]) < Math.abs((double) x - levels[best])) {
                best = i;
            }
        }
        return best;
    }

    /** A key before RoPE as it is read back. */
    float[] key(int layer, float[] key) {
        float[] range = calibration.data("k.pre.channel.vector.range", shape.layers(), 2, width);
        float[] made = levels("k.pre.channel.vector", layer, false);
        float[] meant = levels("k.pre.channel.vector", layer, true);
        float[] x = new float[width];
        float[] out = new float[width];
        for (int c = 0; c < width; c++) {
            float low = range[2 * layer * width + c];
            float high = range[(2 * layer + 1) * width + c];
            float r = (high - low) / 2;
            float o = low + r;
            x[c] = (key[c] - o) / r;
            out[c] = r * meant[nearest(made, x[c])] + o;
        }
        Integer[] order = order(x);
        for (int i = 0; i < perSide; i++) {
            for (int c : new int[] {order[i], order[width - 1 - i]}) {
                if (Math.abs(x[c]) > 1) {
                    out[c] += Element.F16.round(key[c] - out[c]);
                }
            }
        }
        return out;
    }

    private Integer[] order(float[] x) {
        Integer[] order = IntStream.range(0, width).boxed().toArray(Integer[]::new);
        Arrays.sort(order, Comparator.comparingDouble(c -> x[c]));
        return order;
    }

    /** A value as it is read back. */
    float[] value(int layer, float[] value) {
        float[] made = levels("v.token.vector", layer, false);
        float[] meant = levels("v.token.vector", layer, true);
        Integer[] order = order(value);
        float low = value[order[perSide]];
        float high = value[order[width - 1 - perSide]];
        float r = Element.F16.round((high - low) / 2);
        float o = Element.F16.round(low + (high - low) / 2);
        float[] out = new float[width];
        for (int c = 0; c < width; c++) {
            out[c] = r * meant[nearest(made, (value[c] - o) / r)] + o;
        }
        for (int i = 0; i < perSide; i++) {
            for (int c : new int[] {order[i], order[width - 1 - i]}) {
                float middle = r * meant[(1 << (bits - 1)) - 1] + o;
                out[c] = middle + Element.F16.round(value[c] - middle);
            }
        }
        return out;
    }

    /** Outputs of a step of {@code count} tokens after {@code first}: a lone token reads itself back, others see each other exactly. */
    float[] outputs(Steps steps, int first, int count, int shiftPositions) {
        int d = shape.headDim();
        float[] all = new float[shape.layers() * count * shape.heads() * d];
        for (int layer = 0; layer < shape.layers(); layer++) {
            TokenStates states = steps.states(layer, 0, first + count);
            double[][] keys = new double[first + count][];
            float[][] values = new float[first + count][];
            for (int t = 0; t < first + count; t++) {
                boolean quantized = t >= sinks && (t < first || count == 1);
                float[] before = Arrays.copyOfRange(states.keysBeforeRope(), t * width, (t + 1) * width);
                float[] own = Arrays.copyOfRange(states.values(), t * width, (t + 1) * width);
                if (quantized) {
                    keys[t] = rotated(key(layer, before), t + shiftPositions);
                    values[t] = value(layer, own);
                } else {
                    keys[t] = rotated(before, t);
                    values[t] = own;
                    for (int c = 0; c < width && t < first; c++) {
                        keys[t][c] = Element.F16.round(states.keys()[t * width + c]);
                        values[t][c] = Element.F16.round(own[c]);
                    }
                }
            }
            float[] queries = steps.queries(layer, first, count).queries();
            for (int t = 0; t < count; t++) {
                for (int head = 0; head < shape.heads(); head++) {
                    int q = (t * shape.heads() + head) * d;
                    int kv = head / shape.queriesPerKvHead() * d;
                    attend(queries, q, keys, values, kv, first + t + 1, all, layer * count * shape.heads() * d + q);
                }
            }
        }
        return all;
    }

    private double[] rotated(float[] key, int position) {
        int half = shape.headDim() / 2;
        double[] out = new double[width];
        for (int i = 0; i < width / 2; i++) {
            int at = i / half * 2 * half + i % half;
            double angle = position * Math.pow(10_000, -(double) (i % half) / half);
            out[at] = key[at] * Math.cos(angle) - key[at + half] * Math.sin(angle);
            out[at + half] = key[at + half] * Math.cos(angle) + key[at] * Math.sin(angle);
        }
        return out;
    }

    private void attend(
            float[] queries, int q, double[][] keys, float[][] values, int kv, int seen, float[] out, int at) {
        int d = shape.headDim();
        double[] weights = new double[seen];
        double max = Double.NEGATIVE_INFINITY;
        for (int t = 0; t < seen; t++) {
            for (int c = 0; c < d; c++) {
                weights[t] += queries[q + c] * keys[t][kv + c];
            }
            weights[t] /= Math.sqrt(d);
            max = Math.max(max, weights[t]);
        }
        double sum = 0;
        for (int t = 0; t < seen; t++) {
            weights[t] = Math.exp(weights[t] - max);
            sum += weights[t];
        }
        for (int c = 0; c < d; c++) {
            double value = 0;
            for (int t = 0; t < seen; t++) {
                value += weights[t] * values[t][kv + c];
            }
            out[at + c] = (float) (value / sum);
        }
    }
}
