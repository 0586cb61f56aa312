package dev.kvasir.cache;

import dev.kvasir.InvalidInputException;
import java.util.List;

/**
 * What a cache must know of a model.
 *
 * @param layers decoder layers
 * @param heads query heads
 * @param kvHeads key and value heads; divides {@code heads}
 * @param headDim channels of one head
 * @param hiddenSize width of a layer's input
 * @param windows tokens that a token of each layer sees at most, itself included, {@link #ALL} if all; empty if all layers
 *     see all
 * @param scoreCap scores become {@code scoreCap * tanh(score / scoreCap)} before the softmax; 0 leaves them
 */
public record CacheShape(
        int layers, int heads, int kvHeads, int headDim, int hiddenSize, List<Integer> windows, float scoreCap) {
    /** The window of a layer that sees all tokens. */
    public static final int ALL = Integer.MAX_VALUE;

    /** Keeps its own list; throws {@link InvalidInputException} if a window holds no token or one is missing. */
    public CacheShape {
        windows = List.copyOf(windows);
        if (!windows.isEmpty() && (windows.size() != layers || windows.stream().anyMatch(window -> window < 1))) {
            throw new InvalidInputException(
                    "a model of " + layers + " layers needs a window of at least 1 for each or none, found " + windows);
        }
    }

    /** A model whose layers see all tokens and whose scores are not capped. */
    public CacheShape(int layers, int heads, int kvHeads, int headDim, int hiddenSize) {
        this(layers, heads, kvHeads, headDim, hiddenSize, List.of(), 0);
    }

    /** Tokens that a token of a layer sees at most, itself included; {@link #ALL} if all. */
    public int window(int layer) {
        return windows.isEmpty() ? ALL : windows.get(layer);
    }

    /** Query heads that share one KV head. */
    public int queriesPerKvHead() {
        return heads / kvHeads;
    }

    /** The same with other layers that see all tokens: for what is counted by layer. */
    public CacheShape withLayers(int count) {
        return new CacheShape(count, heads, kvHeads, headDim, hiddenSize, List.of(), scoreCap);
    }
}
