package dev.kvasir.cache.method.locret;

import dev.kvasir.cache.CacheShape;
import dev.kvasir.cache.Steps;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** Locret in plain loops over positions, as the paper's algorithm says: nothing is stored but which tokens are kept. */
final class LocretReference {
    private final CacheShape shape;
    private final Steps steps;
    private final List<RetainingHead> heads;
    private final int chunk;
    private final int stabilizers;
    private final int local;
    /** Kept positions of each layer's KV heads. */
    private final List<List<Integer>> kept = new ArrayList<>();

    private final Map<Long, Plain> plains = new HashMap<>();
    private final Map<Long, double[]> scores = new HashMap<>();
    private final int budget;
    private int seen;

    LocretReference(
            CacheShape shape,
            Steps steps,
            List<RetainingHead> heads,
            int budget,
            int chunk,
            int stabilizers,
            int local) {
        this.shape = shape;
        this.steps = steps;
        this.heads = heads;
        this.budget = budget;
        this.chunk = chunk;
        this.stabilizers = stabilizers;
        this.local = local;
        for (int i = 0; i < shape.layers() * shape.kvHeads(); i++) {
            kept.add(List.of());
        }
    }

    List<Integer> kept(int layer, int kvHead) {
        return kept.get(layer * shape.kvHeads() + kvHead);
    }

    /** Feeds a prompt or a turn, or a decoded token; returns the outputs as {@link Steps#feed} does. */
    float[] feed(int count) {
        float[] out = new float[shape.layers() * count * shape.heads() * shape.headDim()];
        int end = seen + count;
        int cut = count == 1 ? seen : end - local;
        for (int from = seen; from < end; ) {
            boolean chunked = from < cut;
            int to = chunked ? Math.min(cut, from + chunk) : end;
            for (int layer = 0; layer < shape.layers(); layer++) {
                for (int h = 0; h < shape.kvHeads(); h++) {
                    attend(layer, h, from, to, seen, count, out);
                    List<Integer> all = new ArrayList<>(kept(layer, h));
                    for (int t = from; t < to; t++) {
                        all.add(t);
                    }
                    kept.set(layer * shape.kvHeads() + h, chunked ? best(layer, h, all, to == cut) : all);
                }
            }
            from = to;
        }
        seen = end;
        return out;
    }

    private List<Integer> best(int layer, int kvHead, List<Integer> all, boolean last) {
        int newest = last ? 0 : Math.min(stabilizers, budget);
        Set<Integer> staying = new HashSet<>(all.subList(Math.max(0, all.size() - newest), all.size()));
        all.stream()
                .filter(t -> !staying.contains(t))
                .sorted(Comparator.comparingDouble((Integer t) -> -score(layer, t)[kvHead]))
                .limit(Math.max(0, Math.min(budget, all.size()) - staying.size()))
                .toList()
                .forEach(staying::add);
        return all.stream().filter(staying::contains).toList();
    }

    /** What a token brings, before RoPE. */
    private record Plain(float[] query, float[] key, float[] value) {}

    private Plain plain(int layer, int token) {
        return plains.computeIfAbsent(
                (long) layer << 32 | token,
                any -> new Plain(
                        steps.queries(layer, token, 1).queriesBeforeRope(),
                        steps.states(layer, token, 1).keysBeforeRope(),
                        steps.states(layer, token, 1).values()));
    }

    /** The scores of a token, by KV head. */
    double[] score(int layer, int token) {
        return scores.computeIfAbsent((long) layer << 32 | token, any -> computeScore(layer, token));
    }

    private double[] computeScore(int layer, int token) {
        RetainingHead head = heads.get(layer);
        float[] q = plain(layer, token).query();
        float[] k = plain(layer, token).key();
        float[] v = plain(layer, token).value();
        int queries = shape.heads() * shape.headDim();
        int keys = shape.kvHeads() * shape.headDim();
        double[] score = new double[shape.kvHeads()];
        for (int r = 0; r < head.width(); r++) {
            double z = 0;
            for (int i = 0; i < queries + 2 * keys; i++) {
                double x = i < queries ? q[i] : i < queries + keys ? k[i - queries] : v[i - queries - keys];
                z += x * head.w1()[i * head.width() + r];
            }
            for (int j = 0; j < score.length; j++) {
                score[j] += z / (1 + Math.exp(-z)) * head.w2()[r * score.length + j];
            }
        }
        return score;
    }

    private void attend(int layer, int kvHead, int from, int to, int first, int count, float[] out) {
        int d = shape.headDim();
        int group = shape.queriesPerKvHead();
        List<Integer> tokens = new ArrayList<>(kept(layer, kvHead));
        int live = tokens.size();
        List<double[]> keys = new ArrayList<>();
        List<float[]> values = new ArrayList<>();
        for (int t = from; t < to; t++) {
            tokens.add(t);
        }
        for (int slot = 0; slot < tokens.size(); slot++) {
            keys.add(turned(plain(layer, tokens.get(slot)).key(), kvHead * d, slot));
            values.add(plain(layer, tokens.get(slot)).value());
        }
        for (int t = from; t < to; t++) {
            float[] q = plain(layer, t).query();
            int slots = live + t - from + 1;
            for (int h = kvHead * group; h < (kvHead + 1) * group; h++) {
                double[] query = turned(q, h * d, slots - 1);
                double[] weights = new double[slots];
                double sum = 0;
                for (int slot = 0; slot < slots; slot++) {
                    double dot = 0;
                    for (int c = 0; c < d; c++) {
                        dot += query[c] * keys.get(slot)[c];
                    }
                    weights[slot] = Math.exp(dot / Math.sqrt(d));
                    sum += weights[slot];
                }
                int at = ((layer * count + t - first) * shape.heads() + h) * d;
                for (int c = 0; c < d; c++) {
                    double value = 0;
                    for (int slot = 0; slot < slots; slot++) {
                        value += weights[slot] / sum * values.get(slot)[kvHead * d + c];
                    }
                    out[at + c] = (float) value;
                }
            }
        }
    }

    private double[] turned(float[] x, int offset, int position) {
        int d = shape.headDim();
        double[] turned = new double[d];
        for (int i = 0; i < d / 2; i++) {
            double angle = position * Math.pow(10_000, -2.0 * i / d);
            double a = x[offset + i];
            double b = x[offset + d / 2 + i];
            turned[i] = a * Math.cos(angle) - b * Math.sin(angle);
            turned[d / 2 + i] = b * Math.cos(angle) + a * Math.sin(angle);
        }
        return turned;
    }
}
