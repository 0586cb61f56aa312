package dev.kvasir.cache.selection;

import dev.kvasir.InvalidInputException;
import dev.kvasir.cache.CacheShape;
import dev.kvasir.cache.Footprint;
import dev.kvasir.cache.PagePool;
import dev.kvasir.cache.attention.HeadFactory;
import dev.kvasir.cache.attention.HeadStores;
import dev.kvasir.cache.attention.LayerFactory;
import dev.kvasir.cache.attention.LayerGroup;
import dev.kvasir.cache.kernel.Kernels;
import dev.kvasir.cache.store.TokenNumbers;
import java.util.ArrayList;
import java.util.List;
import java.util.function.BiFunction;
import java.util.function.IntUnaryOperator;
import java.util.function.Supplier;

/** Makes {@link KeptLayer}s, and says by formula what they hold. */
public final class KeptLayers {
    private KeptLayers() {}

    /**
     * Layers that keep what {@code decides} says in what {@code heads} stores.
     *
     * @param method whose they are, and {@code stores} what that of the heads is called, for errors
     * @throws InvalidInputException once a layer is made, if tokens must go that the store cannot let go of
     */
    public static LayerFactory factory(
            String method, String stores, CacheShape shape, HeadFactory heads, RetentionFactory decides) {
        return (layer, pool, kernels) -> make(method, stores, shape, heads, decides, layer, pool, kernels);
    }

    /**
     * As {@link #factory}, for layers of which one may look at what another that came before it in the same step found: {@code
     * decides} is asked for once for each sequence.
     */
    public static LayerFactory together(
            String method, String stores, CacheShape shape, HeadFactory heads, Supplier<RetentionFactory> decides) {
        return (first, pool, kernels) -> {
            RetentionFactory ofSequence = decides.get();
            List<KeptLayer> layers = new ArrayList<>();
            for (int layer = first; layer < shape.layers(); layer++) {
                layers.add(make(method, stores, shape, heads, ofSequence, layer, pool, kernels));
            }
            return new Together(layers, decides);
        };
    }

    /** The layers of a sequence that look at each other. */
    private record Together(List<KeptLayer> layers, Supplier<RetentionFactory> decides) implements LayerGroup {
        @Override
        public LayerGroup fork() {
            RetentionFactory ofSequence = decides.get();
            return new Together(
                    layers.stream().map(layer -> layer.fork(ofSequence)).toList(), decides);
        }
    }

    private static KeptLayer make(
            String method,
            String stores,
            CacheShape shape,
            HeadFactory heads,
            RetentionFactory decides,
            int layer,
            PagePool pool,
            Kernels kernels) {
        HeadStores store = HeadStores.empty(shape, heads, layer, pool, kernels);
        List<HeadTokens> tokens = new ArrayList<>();
        for (int h = 0; h < shape.kvHeads(); h++) {
            tokens.add(new HeadTokens(new TokenNumbers(pool), new TokenNumbers(pool)));
        }
        KeptLayer made = new KeptLayer(shape, store, decides, layer, tokens);
        if (made.retention().letsStoredGo() && !store.isMovable()) {
            throw new InvalidInputException(method + " lets single tokens go, but " + stores
                    + " stores some that share a scale or a window; exact and block can let them go");
        }
        if (made.retention().headsDiffer() && !store.isMovable()) {
            throw new InvalidInputException(method + " has heads that keep different numbers of tokens, but " + stores
                    + " must know beforehand how many come, for its window; exact and block need not");
        }
        return made;
    }

    /**
     * Bytes by the formula of such layers.
     *
     * @param slots of each head of a layer
     * @param history whether a number is kept beside each token
     * @param stores bytes of the stores behind, of a shape of one layer and a number of tokens
     */
    public static Footprint estimate(
            CacheShape shape,
            IntUnaryOperator slots,
            boolean history,
            BiFunction<CacheShape, Integer, Footprint> stores) {
        CacheShape one = shape.withLayers(1);
        Footprint sum = Footprint.ZERO;
        for (int layer = 0; layer < shape.layers(); layer++) {
            int size = slots.applyAsInt(layer);
            long indices = indexBytes(shape.kvHeads(), size, history);
            sum = sum.plus(stores.apply(one, size)).plus(new Footprint(0, 0, 0, indices, 0));
        }
        return sum;
    }

    /** Bytes of the positions, and of the history if there is one, of {@code heads} heads of {@code slots} tokens. */
    public static long indexBytes(int heads, int slots, boolean history) {
        return indexBytes(heads, slots, history ? 1 : 0);
    }

    /** The same with a history of {@code numbers} numbers a token. */
    public static long indexBytes(int heads, int slots, int numbers) {
        return (long) heads * (TokenNumbers.bytes(slots) + TokenNumbers.bytes(slots * numbers));
    }
}
