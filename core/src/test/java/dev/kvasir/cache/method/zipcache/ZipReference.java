package dev.kvasir.cache.method.zipcache;

import dev.kvasir.cache.CacheShape;
import dev.kvasir.cache.Steps;
import dev.kvasir.cache.importance.ProbeRows;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;

/** ZipCache of one layer by plain loops, written from the paper's description: dequantize, then attend. */
final class ZipReference {
    int high = 4;
    int low = 2;
    double ratio = 0.6;
    int interval = 100;
    boolean remaining;
    boolean perLayer;
    boolean rowsPerHead;
    boolean all;

    private final CacheShape shape;
    private final Steps steps;
    private final ProbeRows probes;
    /** Keys and values as they are stored now, {@code [kvHeads][tokens][headDim]}. */
    private final List<List<float[]>> keys = new ArrayList<>();

    private final List<List<float[]>> values = new ArrayList<>();
    private final List<List<Boolean>> salient = new ArrayList<>();
    /** Sums of the tail's columns {@code [kvHeads]}, and probes that saw them. */
    private final List<List<Double>> sums = new ArrayList<>();

    private final List<Integer> seen = new ArrayList<>();
    private int sealed;

    ZipReference(CacheShape shape, Steps steps, ProbeRows probes) {
        this.shape = shape;
        this.steps = steps;
        this.probes = probes;
        for (int h = 0; h < shape.kvHeads(); h++) {
            keys.add(new ArrayList<>());
            values.add(new ArrayList<>());
            salient.add(new ArrayList<>());
            sums.add(new ArrayList<>());
        }
    }

    /** Whether each token that is quantized is salient. */
    List<Boolean> salient(int kvHead) {
        return salient.get(kvHead);
    }

    /** The outputs of the next step, {@code [count][heads][headDim]}. */
    float[] feed(int count) {
        int length = keys.getFirst().size();
        int tail = length - sealed;
        float[] k = steps.states(0, length, count).keys();
        float[] v = steps.states(0, length, count).values();
        float[] q = steps.queries(0, length, count).queries();
        float[] out = new float[count * shape.heads() * shape.headDim()];
        probes.expect(tail);
        probes.begin(length, count);
        for (int h = 0; h < shape.kvHeads(); h++) {
            for (int t = 0; t < count; t++) {
                keys.get(h).add(row(k, shape.kvHeads(), t, h));
                values.get(h).add(row(v, shape.kvHeads(), t, h));
                sums.get(h).add(0.0);
            }
            attend(h, length, count, q, out);
        }
        for (int t = 0; t < count; t++) {
            seen.add(0);
            for (int i = 0; i < seen.size() && probes.wants(t); i++) {
                seen.set(i, seen.get(i) + 1);
            }
        }
        for (int h = 0; h < shape.kvHeads(); h++) {
            for (int t = length; t < length + count; t++) {
                round(keys.get(h).get(t));
                round(values.get(h).get(t));
            }
        }
        if ((length == 0 && count > 1) || tail + count >= interval) {
            flush();
        }
        return out;
    }

    private float[] row(float[] rows, int width, int token, int head) {
        int d = shape.headDim();
        return Arrays.copyOfRange(rows, (token * width + head) * d, (token * width + head + 1) * d);
    }

    private static void round(float[] row) {
        for (int c = 0; c < row.length; c++) {
            row[c] = f16(row[c]);
        }
    }

    private static float f16(float x) {
        return Float.float16ToFloat(Float.floatToFloat16(x));
    }

    private void attend(int kvHead, int length, int count, float[] queries, float[] out) {
        int g = shape.queriesPerKvHead();
        int d = shape.headDim();
        for (int t = 0; t < count; t++) {
            for (int i = 0; i < g; i++) {
                float[] q = row(queries, shape.heads(), t, kvHead * g + i);
                double[] weights = new double[length + t + 1];
                double total = 0;
                for (int j = 0; j < weights.length; j++) {
                    double score = 0;
                    for (int c = 0; c < d; c++) {
                        score += (double) q[c] * keys.get(kvHead).get(j)[c];
                    }
                    weights[j] = Math.exp(score / Math.sqrt(d));
                    total += weights[j];
                }
                int at = (t * shape.heads() + kvHead * g + i) * d;
                for (int c = 0; c < d; c++) {
                    double sum = 0;
                    for (int j = 0; j < weights.length; j++) {
                        sum += weights[j] / total * values.get(kvHead).get(j)[c];
                    }
                    out[at + c] = (float) sum;
                }
                for (int j = sealed; j < weights.length && probes.wants(t); j++) {
                    sums.get(kvHead).set(j - sealed, sums.get(kvHead).get(j - sealed) + weights[j] / total);
                }
            }
        }
    }

    private void flush() {
        int n = seen.size();
        int highs = n - (int) Math.floor((1 - ratio) * n + 1e-9);
        for (int h = 0; h < shape.kvHeads(); h++) {
            double[] score = new double[n];
            for (int i = 0; i < n; i++) {
                for (int other = 0; other < shape.kvHeads(); other++) {
                    if (other == h || perLayer) {
                        score[i] += sums.get(other).get(i) / (remaining ? n - i : seen.get(i));
                    }
                }
            }
            List<Integer> order = new ArrayList<>();
            for (int i = 0; i < n; i++) {
                order.add(i);
            }
            order.sort(Comparator.comparingDouble((Integer i) -> -score[i]).thenComparingInt(i -> i));
            List<Integer> chosen = order.subList(0, highs);
            for (int i = 0; i < n; i++) {
                salient.get(h).add(chosen.contains(i));
            }
        }
        int from = all ? 0 : sealed;
        float[] factors = factors(from);
        for (boolean isHigh : new boolean[] {true, false}) {
            quantizeValues(from, isHigh, factors);
            for (int h = 0; h < shape.kvHeads(); h++) {
                quantizeKeys(h, rows(h, from, isHigh), isHigh ? high : low);
            }
        }
        sealed = keys.getFirst().size();
        seen.clear();
        sums.forEach(List::clear);
    }

    private List<Integer> rows(int kvHead, int from, boolean isHigh) {
        List<Integer> rows = new ArrayList<>();
        for (int t = from; t < salient.get(kvHead).size(); t++) {
            if (salient.get(kvHead).get(t) == isHigh) {
                rows.add(t);
            }
        }
        return rows;
    }

    private void quantizeKeys(int kvHead, List<Integer> rows, int bits) {
        for (int c = 0; c < shape.headDim(); c++) {
            float[] column = new float[rows.size()];
            for (int i = 0; i < column.length; i++) {
                column[i] = keys.get(kvHead).get(rows.get(i))[c];
            }
            quantize(column, bits);
            for (int i = 0; i < column.length; i++) {
                keys.get(kvHead).get(rows.get(i))[c] = column[i];
            }
        }
    }

    private float[] factors(int from) {
        int d = shape.headDim();
        float[] factors = new float[shape.kvHeads() * d];
        for (int i = 0; i < factors.length; i++) {
            float most = 0;
            for (int t = from; t < keys.getFirst().size(); t++) {
                most = Math.max(most, Math.abs(values.get(i / d).get(t)[i % d]));
            }
            factors[i] = f16((float) Math.sqrt(most));
            factors[i] = factors[i] == 0 ? 1 : factors[i];
        }
        return factors;
    }

    private void quantizeValues(int from, boolean isHigh, float[] factors) {
        int d = shape.headDim();
        int heads = shape.kvHeads();
        int together = rowsPerHead ? 1 : heads;
        for (int first = 0; first < heads; first += together) {
            for (int rank = 0; rank < rows(0, from, isHigh).size(); rank++) {
                float[] row = new float[together * d];
                for (int i = 0; i < row.length; i++) {
                    int h = first + i / d;
                    row[i] = values.get(h).get(rows(h, from, isHigh).get(rank))[i % d] / factors[h * d + i % d];
                }
                quantize(row, isHigh ? high : low);
                for (int i = 0; i < row.length; i++) {
                    int h = first + i / d;
                    values.get(h).get(rows(h, from, isHigh).get(rank))[i % d] = row[i] * factors[h * d + i % d];
                }
            }
        }
    }

    static void quantize(float[] row, int bits) {
        int most = (1 << bits) - 1;
        float min = Float.POSITIVE_INFINITY;
        float max = Float.NEGATIVE_INFINITY;
        for (float x : row) {
            min = Math.min(min, x);
            max = Math.max(max, x);
        }
        float step = f16((max - min) / most);
        float zero = f16(min);
        for (int i = 0; i < row.length; i++) {
            double code = step == 0 ? 0 : Math.rint((row[i] - zero) / step);
            row[i] = (float) (step * Math.clamp(code, 0.0, most) + zero);
        }
    }
}
