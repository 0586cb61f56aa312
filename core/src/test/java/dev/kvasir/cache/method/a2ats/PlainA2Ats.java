package dev.kvasir.cache.method.a2ats;

import dev.kvasir.cache.CacheShape;
import dev.kvasir.cache.Calibration;
import dev.kvasir.cache.Queries;
import dev.kvasir.cache.TokenStates;
import java.util.Arrays;
import java.util.Comparator;
import java.util.Objects;
import java.util.TreeSet;
import java.util.stream.IntStream;

/** The method by plain loops in doubles, from a calibration's numbers and the model's states. */
final class PlainA2Ats {
    private final CacheShape shape;
    private final int far;
    private final double theta;
    private final float[][] codes;
    private final float[][] metrics;

    PlainA2Ats(CacheShape shape, Calibration calibration, int far) {
        this(shape, calibration, far, 10_000);
    }

    PlainA2Ats(CacheShape shape, Calibration calibration, int far, double theta) {
        this.theta = theta;
        this.shape = shape;
        this.far = far;
        codes = new float[shape.layers()][];
        metrics = new float[shape.layers()][];
        for (int l = 0; l < codes.length; l++) {
            codes[l] = Objects.requireNonNull(calibration.tensors().get("codes." + l))
                    .data();
            metrics[l] = Objects.requireNonNull(calibration.tensors().get("metric." + l))
                    .data();
        }
    }

    private int codes(int layer) {
        return codes[layer].length / shape.kvHeads() / shape.headDim();
    }

    private double[] vector(int layer, int kvHead, int code) {
        int d = shape.headDim();
        float[] data = codes[layer];
        double[] vector = new double[d];
        for (int i = 0; i < d; i++) {
            vector[i] = data[(kvHead * codes(layer) + code) * d + i];
        }
        return vector;
    }

    private double lower(int layer, int kvHead, int i, int j) {
        int d = shape.headDim();
        return metrics[layer][kvHead * d * (d + 1) / 2 + i * (i + 1) / 2 + j];
    }

    /** The code of a key before RoPE. */
    int code(int layer, int kvHead, float[] keys, int at) {
        int d = shape.headDim();
        double[] z = new double[d];
        for (int j = 0; j < d; j++) {
            for (int i = j; i < d; i++) {
                z[j] += keys[at + i] * lower(layer, kvHead, i, j);
            }
        }
        int best = 0;
        double least = Double.POSITIVE_INFINITY;
        for (int c = 0; c < codes(layer); c++) {
            double distance = 0;
            double[] vector = vector(layer, kvHead, c);
            for (int i = 0; i < d; i++) {
                distance += (z[i] - vector[i]) * (z[i] - vector[i]);
            }
            if (distance < least) {
                least = distance;
                best = c;
            }
        }
        return best;
    }

    /** A code vector in the keys' space: {@code c} with {@code c L = z}. */
    double[] key(int layer, int kvHead, int code) {
        double[] z = vector(layer, kvHead, code);
        double[] key = new double[z.length];
        for (int j = z.length - 1; j >= 0; j--) {
            double sum = z[j];
            for (int i = j + 1; i < z.length; i++) {
                sum -= key[i] * lower(layer, kvHead, i, j);
            }
            key[j] = sum / lower(layer, kvHead, j, j);
        }
        return key;
    }

    private double[] turned(float[] query, int at, int position) {
        int half = shape.headDim() / 2;
        double[] out = new double[2 * half];
        for (int i = 0; i < half; i++) {
            double angle = position * Math.pow(theta, -(double) i / half);
            double a = query[at + i];
            double b = query[at + i + half];
            out[i] = a * Math.cos(angle) - b * Math.sin(angle);
            out[i + half] = b * Math.cos(angle) + a * Math.sin(angle);
        }
        return out;
    }

    /** What each KV head reads of the tokens before {@code position}, ascending. */
    int[][] read(TokenStates states, Queries queries, int layer, int position, int window, int sinks, double share) {
        int d = shape.headDim();
        int group = shape.queriesPerKvHead();
        int[][] read = new int[shape.kvHeads()][];
        for (int h = 0; h < read.length; h++) {
            TreeSet<Integer> union = new TreeSet<>();
            int[] candidates = IntStream.range(sinks, Math.max(sinks, position - window + 1))
                    .toArray();
            int[] found = new int[position];
            for (int t : candidates) {
                found[t] = code(layer, h, states.keysBeforeRope(), (t * shape.kvHeads() + h) * d);
            }
            for (int g = 0; g < group; g++) {
                double[] q = turned(queries.queriesBeforeRope(), (h * group + g) * d, far);
                double[] table = new double[codes(layer)];
                for (int c = 0; c < table.length; c++) {
                    double[] key = key(layer, h, c);
                    for (int i = 0; i < d; i++) {
                        table[c] += q[i] * key[i];
                    }
                }
                Arrays.stream(candidates)
                        .boxed()
                        .sorted(Comparator.<Integer>comparingDouble(t -> -table[found[t]])
                                .thenComparing(t -> t))
                        .limit((int) Math.floor(share * (position + 1)))
                        .forEach(union::add);
            }
            IntStream.range(0, Math.min(sinks, position)).forEach(union::add);
            IntStream.range(Math.max(0, position - window + 1), position).forEach(union::add);
            read[h] = union.stream().mapToInt(Integer::intValue).toArray();
        }
        return read;
    }

    /** Attention over what is read and the step's own token; returns the mass that full attention gives to these, per head. */
    double[] attend(TokenStates states, Queries queries, int position, int[][] read, float[] out, int at) {
        int d = shape.headDim();
        double[] mass = new double[shape.heads()];
        for (int head = 0; head < shape.heads(); head++) {
            int h = head / shape.queriesPerKvHead();
            double[] weights = new double[position + 1];
            double total = 0;
            for (int t = 0; t <= position; t++) {
                double score = 0;
                for (int i = 0; i < d; i++) {
                    score +=
                            queries.queries()[head * d + i] * (double) states.keys()[(t * shape.kvHeads() + h) * d + i];
                }
                weights[t] = Math.exp(score / Math.sqrt(d));
                total += weights[t];
            }
            int[] all = Arrays.copyOf(read[h], read[h].length + 1);
            all[read[h].length] = position;
            double kept = 0;
            double[] sum = new double[d];
            for (int t : all) {
                kept += weights[t];
                for (int i = 0; i < d; i++) {
                    sum[i] += weights[t] * states.values()[(t * shape.kvHeads() + h) * d + i];
                }
            }
            for (int i = 0; i < d; i++) {
                out[at + head * d + i] = (float) (sum[i] / kept);
            }
            mass[head] = kept / total;
        }
        return mass;
    }

    /** The largest magnitude of a value of a head. */
    double largestValue(TokenStates states, int position, int kvHead) {
        double largest = 0;
        for (int t = 0; t <= position; t++) {
            for (int i = 0; i < shape.headDim(); i++) {
                largest = Math.max(
                        largest, Math.abs(states.values()[(t * shape.kvHeads() + kvHead) * shape.headDim() + i]));
            }
        }
        return largest;
    }
}
