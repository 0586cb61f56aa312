package dev.kvasir.cache.method.minicache;

import dev.kvasir.cache.CacheShape;
import dev.kvasir.cache.attention.SequenceCache;
import dev.kvasir.cache.kernel.Element;
import dev.kvasir.cache.store.StoreContents;
import java.util.ArrayList;
import java.util.List;

/**
 * The method by plain loops, written from the paper: restores every key and value of both layers of a pair, then attends. Only
 * what the inner store makes of a direction is read from the cache under test.
 */
final class PlainMiniCache {
    private final CacheShape shape;
    private final AlikeLayers states;
    private final int lower;
    private final int window;
    private final double t;
    private final double gamma;
    private int length;
    private int merged;
    /** Of keys and values: the range of distances, and which merged tokens are kept. */
    private final double[] least = {2, 2};

    private final double[] most = {-1, -1};
    private final List<List<Boolean>> kept = List.of(new ArrayList<>(), new ArrayList<>());

    PlainMiniCache(CacheShape shape, AlikeLayers states, int lower, int window, double t, double gamma) {
        this.shape = shape;
        this.states = states;
        this.lower = lower;
        this.window = window;
        this.t = t;
        this.gamma = gamma;
    }

    /** After the cache has taken {@code count} more tokens. */
    void took(int count) {
        length += count;
        int now = window == 0 ? length : merged + (length - merged) / window * window;
        for (int side = 0; side < 2; side++) {
            double[] distances = new double[now - merged];
            for (int i = 0; i < distances.length; i++) {
                float[] a = f16(states.rows(lower, side, merged + i, 1));
                float[] c = f16(states.rows(lower + 1, side, merged + i, 1));
                for (int h = 0; h < shape.kvHeads(); h++) {
                    distances[i] += angle(a, c, h) / Math.PI / shape.kvHeads();
                }
                least[side] = Math.min(least[side], distances[i]);
                most[side] = Math.max(most[side], distances[i]);
            }
            for (double distance : distances) {
                kept.get(side).add(distance >= most[side] - gamma * (most[side] - least[side]));
            }
        }
        merged = now;
    }

    int kept(int side) {
        int count = 0;
        for (boolean token : kept.get(side)) {
            count += token ? 1 : 0;
        }
        return count;
    }

    private static float[] f16(float[] rows) {
        Element.F16.round(rows, 0, rows.length);
        return rows;
    }

    private double angle(float[] a, float[] c, int head) {
        return Math.acos(dot(a, c, head) / norm(a, head) / norm(c, head));
    }

    private double dot(float[] x, float[] y, int head) {
        double sum = 0;
        for (int i = head * shape.headDim(); i < (head + 1) * shape.headDim(); i++) {
            sum += (double) x[i] * y[i];
        }
        return sum;
    }

    private double norm(float[] x, int head) {
        return Math.sqrt(dot(x, x, head));
    }

    /** The keys or values of a head of a layer as the cache should have them: {@code stored} is what became of the directions, or empty if nothing did. */
    double[][] restored(int layer, int side, int head, float[][] stored) {
        int d = shape.headDim();
        double[][] rows = new double[length][d];
        for (int token = 0; token < length; token++) {
            float[] x = f16(states.rows(layer, side, token, 1));
            for (int i = 0; i < d; i++) {
                rows[token][i] = x[head * d + i];
            }
            if (token < merged && !kept.get(side).get(token)) {
                double[] e = direction(side, head, token);
                if (stored.length > 0) {
                    for (int i = 0; i < d; i++) {
                        e[i] = stored[token][i];
                    }
                }
                double norm = 0;
                for (double number : e) {
                    norm += number * number;
                }
                double scale = Element.F16.round((float) (Element.F16.round((float) norm(x, head)) / Math.sqrt(norm)));
                for (int i = 0; i < d; i++) {
                    rows[token][i] = scale * e[i];
                }
            }
        }
        return rows;
    }

    private double[] direction(int side, int head, int token) {
        float[] a = f16(states.rows(lower, side, token, 1));
        float[] c = f16(states.rows(lower + 1, side, token, 1));
        double angle = angle(a, c, head);
        double p = Math.sin((1 - t) * angle) / Math.sin(angle) / norm(a, head);
        double q = Math.sin(t * angle) / Math.sin(angle) / norm(c, head);
        double[] e = new double[shape.headDim()];
        for (int i = 0; i < e.length; i++) {
            e[i] = p * a[head * e.length + i] + q * c[head * e.length + i];
        }
        return e;
    }

    /** What the next step must give in a layer of the pair. */
    float[] expected(SequenceCache cache, int layer, int count, boolean fromStore) {
        int d = shape.headDim();
        float[] out = new float[count * shape.heads() * d];
        float[] queries = states.queries(layer, length, count);
        for (int head = 0; head < shape.heads(); head++) {
            int kv = head / shape.queriesPerKvHead();
            var stores = AlikeLayers.layer(cache, lower).pair().directions().head(kv);
            float[][] none = {};
            double[][] keys = restored(layer, 0, kv, fromStore ? StoreContents.keys(stores.keys(), d) : none);
            double[][] values = restored(layer, 1, kv, fromStore ? StoreContents.values(stores.values(), d) : none);
            for (int token = 0; token < count; token++) {
                attend(layer, queries, (token * shape.heads() + head) * d, kv, token, keys, values, out);
            }
        }
        return out;
    }

    private void attend(
            int layer, float[] queries, int at, int kv, int token, double[][] keys, double[][] values, float[] out) {
        int d = shape.headDim();
        double[][] allKeys = with(keys, layer, 0, kv, token);
        double[][] allValues = with(values, layer, 1, kv, token);
        double[] weights = new double[allKeys.length];
        double max = Double.NEGATIVE_INFINITY;
        for (int s = 0; s < weights.length; s++) {
            for (int i = 0; i < d; i++) {
                weights[s] += queries[at + i] * allKeys[s][i] / Math.sqrt(d);
            }
            max = Math.max(max, weights[s]);
        }
        double total = 0;
        for (int s = 0; s < weights.length; s++) {
            weights[s] = Math.exp(weights[s] - max);
            total += weights[s];
        }
        for (int i = 0; i < d; i++) {
            double sum = 0;
            for (int s = 0; s < weights.length; s++) {
                sum += weights[s] * allValues[s][i];
            }
            out[at + i] = (float) (sum / total);
        }
    }

    /** Stored rows and the step's own exact ones up to a token. */
    private double[][] with(double[][] stored, int layer, int side, int kv, int token) {
        int d = shape.headDim();
        double[][] all = java.util.Arrays.copyOf(stored, stored.length + token + 1);
        float[] own = states.rows(layer, side, length, token + 1);
        for (int s = 0; s <= token; s++) {
            all[stored.length + s] = new double[d];
            for (int i = 0; i < d; i++) {
                all[stored.length + s][i] = own[s * states.width() + kv * d + i];
            }
        }
        return all;
    }
}
