package dev.kvasir.cache.method.cskv;

import dev.kvasir.cache.CacheModel;
import dev.kvasir.cache.CacheShape;
import dev.kvasir.cache.CacheSpec;
import dev.kvasir.cache.Calibration;
import dev.kvasir.cache.Steps;
import dev.kvasir.cache.TokenStates;
import java.util.Map;
import java.util.Objects;

/** CSKV by plain loops in float64, from the paper's formulas: everything rebuilt, then ordinary attention. */
final class Reference {
    private final CacheModel model;
    private final CacheShape shape;
    private final Map<String, String> options;
    private final Calibration calibration;

    Reference(CacheModel model, CacheSpec complete) {
        this.model = model;
        this.shape = model.shape();
        this.options = complete.options();
        this.calibration = model.calibrations().find("cskv", "");
    }

    private String text(String option) {
        return Objects.requireNonNull(options.get(option));
    }

    private int number(String option) {
        return Integer.parseInt(text(option));
    }

    private float narrow(double value) {
        return switch (text("dtype")) {
            case "f16" -> half(value);
            case "bf16" -> {
                int bits = Float.floatToRawIntBits((float) value);
                yield Float.intBitsToFloat((bits + 0x7fff + (bits >>> 16 & 1)) & 0xffff0000);
            }
            default -> (float) value;
        };
    }

    private static float half(double value) {
        return Float.float16ToFloat(Float.floatToFloat16((float) value));
    }

    /** What the outputs of {@code count} tokens after {@code length} must be. */
    float[] expected(Steps steps, int length, int count) {
        int width = shape.kvHeads() * shape.headDim();
        int perLayer = count * shape.heads() * shape.headDim();
        float[] all = new float[shape.layers() * perLayer];
        int window = number("window");
        int exact = text("rule").equals("sliding") ? Math.max(0, length - window) : length / window * window;
        for (int layer = 0; layer < shape.layers(); layer++) {
            TokenStates states = steps.states(layer, 0, length + count);
            double[] keys = rebuilt(layer, "k", states.input(), length);
            double[] values = rebuilt(layer, "v", states.input(), length);
            float[] turned = new float[(length + count) * width];
            model.rotary().reach(length + count);
            for (int t = 0; t < length; t++) {
                float[] row = new float[width];
                for (int c = 0; c < width; c++) {
                    row[c] = (float) keys[t * width + c];
                }
                model.rotary().rotate(t, shape.kvHeads(), row, 0, turned, t * width);
            }
            double[] k = new double[(length + count) * width];
            double[] v = new double[(length + count) * width];
            for (int i = 0; i < k.length; i++) {
                int token = i / width;
                boolean isExact = token >= exact;
                boolean own = token >= length;
                k[i] = own ? states.keys()[i] : isExact ? narrow(states.keys()[i]) : turned[i];
                v[i] = own ? states.values()[i] : isExact ? narrow(states.values()[i]) : values[i];
            }
            attend(steps.queries(layer, length, count).queries(), k, v, length, count, all, layer * perLayer);
        }
        return all;
    }

    /** {@code Q(X A) B} of the first {@code length} tokens. */
    private double[] rebuilt(int layer, String side, float[] x, int length) {
        int width = shape.kvHeads() * shape.headDim();
        double density = Double.parseDouble(text(side + "_density"));
        int group = (int) (density * shape.headDim() + 1e-9);
        int rank = shape.kvHeads() * group;
        int bits = number(side + "_bits");
        boolean trained = bits == 4 && text("qat").equals("true");
        String name = "layer." + layer + "." + side + (trained ? ".q4" : ".exact");
        float[] a = calibration.data(name + ".a", shape.hiddenSize(), rank);
        float[] b = calibration.data(name + ".b", rank, width);
        double[] latents = new double[length * rank];
        for (int t = 0; t < length; t++) {
            for (int c = 0; c < rank; c++) {
                double sum = 0;
                for (int i = 0; i < shape.hiddenSize(); i++) {
                    sum += x[t * shape.hiddenSize() + i] * (double) a[i * rank + c];
                }
                latents[t * rank + c] = narrow(sum);
            }
        }
        if (bits < 16) {
            int block = number("block");
            int whole = length / block * block;
            for (int t = 0; t < whole; t += side.equals("k") ? block : 1) {
                if (side.equals("k")) {
                    for (int c = 0; c < rank; c++) {
                        quantize(latents, t * rank + c, rank, block, bits);
                    }
                } else {
                    for (int c = 0; c < rank; c += group) {
                        quantize(latents, t * rank + c, 1, group, bits);
                    }
                }
            }
        }
        double[] out = new double[length * width];
        for (int t = 0; t < length; t++) {
            for (int c = 0; c < rank; c++) {
                for (int o = 0; o < width; o++) {
                    out[t * width + o] += latents[t * rank + c] * b[c * width + o];
                }
            }
        }
        return out;
    }

    private static void quantize(double[] x, int from, int step, int size, int bits) {
        double low = Double.POSITIVE_INFINITY;
        double high = Double.NEGATIVE_INFINITY;
        for (int i = 0; i < size; i++) {
            low = Math.min(low, x[from + i * step]);
            high = Math.max(high, x[from + i * step]);
        }
        int most = (1 << bits) - 1;
        float zero = half(low);
        float scale = half((high - low) / most);
        for (int i = 0; i < size; i++) {
            double code = Math.clamp(Math.rint((x[from + i * step] - zero) / scale), 0, most);
            x[from + i * step] = zero + scale * code;
        }
    }

    private void attend(float[] queries, double[] k, double[] v, int length, int count, float[] all, int at) {
        int d = shape.headDim();
        int width = shape.kvHeads() * d;
        for (int t = 0; t < count; t++) {
            for (int head = 0; head < shape.heads(); head++) {
                int kvHead = head / shape.queriesPerKvHead();
                int query = (t * shape.heads() + head) * d;
                double[] weights = new double[length + t + 1];
                double max = Double.NEGATIVE_INFINITY;
                for (int i = 0; i < weights.length; i++) {
                    for (int c = 0; c < d; c++) {
                        weights[i] += queries[query + c] * k[i * width + kvHead * d + c] / Math.sqrt(d);
                    }
                    max = Math.max(max, weights[i]);
                }
                double sum = 0;
                for (int i = 0; i < weights.length; i++) {
                    weights[i] = Math.exp(weights[i] - max);
                    sum += weights[i];
                }
                for (int c = 0; c < d; c++) {
                    double out = 0;
                    for (int i = 0; i < weights.length; i++) {
                        out += weights[i] / sum * v[i * width + kvHead * d + c];
                    }
                    all[at + query + c] = (float) out;
                }
            }
        }
    }
}
