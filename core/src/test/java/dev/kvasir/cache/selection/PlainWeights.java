package dev.kvasir.cache.selection;

import dev.kvasir.cache.CacheShape;
import dev.kvasir.cache.Steps;
import dev.kvasir.cache.attention.SequenceCache;
import java.util.ArrayList;
import java.util.List;

/** Attention weights of made-up states by plain loops, and what a cache has kept. */
public record PlainWeights(Steps steps, CacheShape shape) {
    /** The weights that query head {@code head} of the token at {@code query} gives to the tokens at {@code positions}. */
    public double[] of(int layer, int head, int query, List<Integer> positions) {
        int d = shape.headDim();
        int kvHead = head / shape.queriesPerKvHead();
        float[] q = steps.queries(layer, query, 1).queries();
        double[] weights = new double[positions.size()];
        double sum = 0;
        for (int i = 0; i < weights.length; i++) {
            float[] k = steps.states(layer, positions.get(i), 1).keys();
            double score = 0;
            for (int c = 0; c < d; c++) {
                score += q[head * d + c] * (double) k[kvHead * d + c];
            }
            weights[i] = Math.exp(score / Math.sqrt(d));
            sum += weights[i];
        }
        for (int i = 0; i < weights.length; i++) {
            weights[i] /= sum;
        }
        return weights;
    }

    /** The same, summed over the last {@code window} tokens of a prompt of {@code tokens} and the query heads of a KV head. */
    public double[] window(int layer, int kvHead, int tokens, int window) {
        double[] sums = new double[tokens];
        List<Integer> seen = new ArrayList<>();
        for (int p = 0; p < tokens; p++) {
            seen.add(p);
            if (p < tokens - window) {
                continue;
            }
            for (int g = 0; g < shape.queriesPerKvHead(); g++) {
                double[] weights = of(layer, kvHead * shape.queriesPerKvHead() + g, p, seen);
                for (int i = 0; i < weights.length; i++) {
                    sums[i] += weights[i];
                }
            }
        }
        return sums;
    }

    /** The positions that a head of a layer holds, slot by slot. */
    public static List<Integer> kept(SequenceCache cache, int layer, int kvHead) {
        List<Integer> positions = new ArrayList<>();
        for (int slot = 0; slot < cache.store(layer).keys(kvHead).size(); slot++) {
            positions.add(((KeptLayer) cache.store(layer)).position(kvHead, slot));
        }
        return positions;
    }
}
