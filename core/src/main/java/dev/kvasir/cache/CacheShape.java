package dev.kvasir.cache;

/**
 * What a cache must know of a model.
 *
 * @param layers decoder layers
 * @param heads query heads
 * @param kvHeads key and value heads; divides {@code heads}
 * @param headDim channels of one head
 * @param hiddenSize width of a layer's input
 */
public record CacheShape(int layers, int heads, int kvHeads, int headDim, int hiddenSize) {
    /** Query heads that share one KV head. */
    public int queriesPerKvHead() {
        return heads / kvHeads;
    }
}
