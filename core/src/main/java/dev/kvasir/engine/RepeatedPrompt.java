package dev.kvasir.engine;

import dev.kvasir.InvalidInputException;
import dev.kvasir.cache.CacheSpec;
import dev.kvasir.cache.Caches;
import dev.kvasir.cache.KvCache;
import dev.kvasir.cache.LayerCache;
import dev.kvasir.cache.PagePool;
import dev.kvasir.cache.Queries;
import dev.kvasir.cache.TokenStates;
import dev.kvasir.model.Decoder;
import dev.kvasir.model.Model;
import dev.kvasir.tensor.RotaryOrder;
import dev.kvasir.tensor.RotaryTable;
import dev.kvasir.tensor.Workers;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;

/**
 * What the layers of a model computed for a prompt, given to caches again and again with advancing positions: fills a cache
 * to a depth at the price of storing alone. Keys and queries are turned to their new positions; everything else is as it was.
 *
 * <p>A cache takes the tokens as it takes any others, in steps; what looks at attention weights while it stores gets those of
 * the same queries. Holds {@code tokens * layers} rows of the residual stream, the normed input, keys, values and queries.
 */
public final class RepeatedPrompt {
    private static final CacheSpec EXACT = CacheSpec.parse("exact(f32)");

    private final Model model;
    private final Workers workers;
    private final int tokens;
    private final List<Rows> layers = new ArrayList<>();
    private final List<RotaryTable> rotaries;

    /** One layer's rows, each {@code [tokens][...]}. */
    private record Rows(float[] residual, float[] input, float[] keys, float[] values, float[] queries) {}

    /**
     * Runs the model over a prompt, as one step.
     *
     * @throws InvalidInputException as {@link Decoder#forward}
     */
    public RepeatedPrompt(Decoder decoder, PagePool pool, Workers workers, int[] prompt, int from, int count) {
        this.model = decoder.model();
        this.workers = workers;
        this.tokens = count;
        this.rotaries = model.cacheModel().rotaries();
        int hidden = model.config().hiddenSize();
        int keyWidth = model.config().kvHeads() * model.config().headDim();
        int queryWidth = model.config().heads() * model.config().headDim();
        try (KvCache exact = Caches.create(EXACT, model.cacheModel(), pool, workers)) {
            KvCache watched = new WatchedCache(
                    exact,
                    (layer, states, queries) -> layers.add(new Rows(
                            Arrays.copyOf(states.residual(), count * hidden),
                            Arrays.copyOf(states.input(), count * hidden),
                            Arrays.copyOf(states.keysBeforeRope(), count * keyWidth),
                            Arrays.copyOf(states.values(), count * keyWidth),
                            Arrays.copyOf(queries.queriesBeforeRope(), count * queryWidth))));
            decoder.forward(
                    watched, prompt, from, count, new float[model.config().vocabularySize()]);
        }
    }

    /** Tokens of the prompt. */
    public int tokens() {
        return tokens;
    }

    /**
     * Stores {@code count} more tokens in a cache as one step: the token at position {@code p} has the rows of the prompt's
     * token {@code p} modulo its length.
     *
     * @throws InvalidInputException if the step would pass the context length
     * @throws dev.kvasir.cache.CacheBudgetException if the cache's pool cannot hold the step; the cache is then as it was
     */
    public void feed(KvCache cache, int count) {
        int first = cache.length();
        if (count < 1 || (long) first + count > model.config().contextLength()) {
            throw new InvalidInputException("a step of " + count + " tokens from position " + first
                    + " must be of 1 or more and end within the context of "
                    + model.config().contextLength());
        }
        for (RotaryTable rotary : rotaries) {
            rotary.reach(first + count - 1);
        }
        cache.reserve(count);
        float[] unused =
                new float[count * model.config().heads() * model.config().headDim()];
        for (int i = 0; i < layers.size(); i++) {
            States states = new States(i, first, count);
            LayerCache layer = cache.layer(i);
            layer.append(states);
            layer.store(states, unused);
        }
    }

    /** One layer's rows at the positions of one step; each array is made when first asked for. */
    private final class States implements TokenStates, Queries {
        private final Rows rows;
        private final RotaryTable rotary;
        private final Optional<RotaryOrder> order;
        private final boolean turns;
        private final int first;
        private final int count;
        private float[] residual = {};
        private float[] input = {};
        private float[] keys = {};
        private float[] turnedKeys = {};
        private float[] values = {};
        private float[] queries = {};
        private float[] turnedQueries = {};

        States(int layer, int first, int count) {
            this.rows = layers.get(layer);
            this.rotary = rotaries.get(rotaries.size() == 1 ? 0 : layer);
            this.order = model.weights().layers().get(layer).rotaryOrder();
            this.turns = model.config().rotary(layer).dims() > 0;
            this.first = first;
            this.count = count;
        }

        @Override
        public int count() {
            return count;
        }

        @Override
        public int firstPosition() {
            return first;
        }

        @Override
        public float[] residual() {
            residual = gathered(residual, rows.residual);
            return residual;
        }

        @Override
        public float[] input() {
            input = gathered(input, rows.input);
            return input;
        }

        @Override
        public float[] keysBeforeRope() {
            keys = gathered(keys, rows.keys);
            return keys;
        }

        @Override
        public float[] keys() {
            turnedKeys = turned(turnedKeys, keysBeforeRope(), model.config().kvHeads());
            return turnedKeys;
        }

        @Override
        public float[] values() {
            values = gathered(values, rows.values);
            return values;
        }

        @Override
        public float[] queriesBeforeRope() {
            queries = gathered(queries, rows.queries);
            return queries;
        }

        @Override
        public float[] queries() {
            turnedQueries =
                    turned(turnedQueries, queriesBeforeRope(), model.config().heads());
            return turnedQueries;
        }

        private float[] gathered(float[] made, float[] prompt) {
            if (made.length > 0) {
                return made;
            }
            int width = prompt.length / tokens;
            float[] gathered = new float[count * width];
            for (int t = 0; t < count; t++) {
                System.arraycopy(prompt, (first + t) % tokens * width, gathered, t * width, width);
            }
            return gathered;
        }

        private float[] turned(float[] made, float[] source, int heads) {
            if (!turns || made.length > 0) {
                return turns ? made : source;
            }
            int width = heads * model.config().headDim();
            float[] turned = new float[count * width];
            workers.run(count, t -> {
                if (order.isPresent()) {
                    rotary.rotate(first + t, heads, order.get(), source, t * width, turned, t * width);
                } else {
                    rotary.rotate(first + t, heads, source, t * width, turned, t * width);
                }
            });
            return turned;
        }
    }
}
