package dev.kvasir.cache.method.scissorhands;

import dev.kvasir.cache.CacheShape;
import dev.kvasir.cache.Steps;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;

/** One head of the published loop, token by token, with explicit softmax and every event written down. */
final class PlainScissors {
    private final Steps steps;
    private final CacheShape shape;
    private final int layer;
    private final int kvHead;
    private final int budget;
    private final int drop;
    private final int window;
    private final int recent;
    boolean any;
    boolean ofSeen;
    final List<Integer> kept = new ArrayList<>();
    /** Of each token, the rows that had it below average, once for each query head. */
    private final List<List<Integer>> events = new ArrayList<>();

    PlainScissors(Steps steps, CacheShape shape, int layer, int kvHead, int budget, int drop, int window, int recent) {
        this.steps = steps;
        this.shape = shape;
        this.layer = layer;
        this.kvHead = kvHead;
        this.budget = budget;
        this.drop = drop;
        this.window = window;
        this.recent = recent;
    }

    /** Feeds token {@code t}; returns the outputs of the head's query heads. */
    float[] feed(int t) {
        if (kept.size() == budget) {
            compress(t, drop);
        }
        return attend(t);
    }

    /** What is left once full slots are emptied. */
    List<Integer> settled(int seen) {
        if (kept.size() == budget) {
            compress(seen, drop);
        }
        return kept;
    }

    float[] attend(int t) {
        kept.add(t);
        while (events.size() <= t) {
            events.add(new ArrayList<>());
        }
        int d = shape.headDim();
        int g = shape.queriesPerKvHead();
        int n = kept.size();
        float[] q = steps.queries(layer, t, 1).queries();
        int[] below = new int[n];
        float[] out = new float[g * d];
        for (int h = 0; h < g; h++) {
            double[] weights = new double[n];
            double total = 0;
            for (int i = 0; i < n; i++) {
                float[] k = steps.states(layer, kept.get(i), 1).keys();
                double score = 0;
                for (int c = 0; c < d; c++) {
                    score += q[(kvHead * g + h) * d + c] * (double) k[kvHead * d + c];
                }
                weights[i] = Math.exp(score / Math.sqrt(d));
                total += weights[i];
            }
            for (int i = 0; i < n; i++) {
                double weight = weights[i] / total;
                below[i] += weight < 1.0 / (ofSeen ? t + 1 : n) ? 1 : 0;
                float[] v = steps.states(layer, kept.get(i), 1).values();
                for (int c = 0; c < d; c++) {
                    out[h * d + c] += (float) (weight * v[kvHead * d + c]);
                }
            }
        }
        for (int i = 0; i < n; i++) {
            int noted = any ? below[i] / g : below[i];
            for (int e = 0; e < noted; e++) {
                events.get(kept.get(i)).add(t);
            }
        }
        return out;
    }

    void forgetEvents() {
        events.forEach(List::clear);
    }

    void compress(int seen, int going) {
        long[] below = new long[seen];
        for (int i = 0; i < kept.size(); i++) {
            boolean newest = i >= kept.size() - recent;
            int position = kept.get(i);
            long count = events.get(position).stream()
                    .filter(row -> row >= seen - window)
                    .count();
            below[position] = newest ? 0 : count;
        }
        List<Integer> order = new ArrayList<>(kept);
        order.sort(Comparator.comparingLong((Integer p) -> -below[p]).thenComparingInt(p -> p));
        kept.removeAll(order.subList(0, going));
    }
}
