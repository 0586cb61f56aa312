package dev.kvasir.model;

import dev.kvasir.InvalidInputException;
import dev.kvasir.cache.KvCache;
import dev.kvasir.cache.LayerCache;
import dev.kvasir.tensor.Activations;
import dev.kvasir.tensor.Linear;
import dev.kvasir.tensor.Precision;
import dev.kvasir.tensor.RowReader;
import dev.kvasir.tensor.Workers;

/**
 * The forward pass: tokens in, logits out, everything remembered in the cache. One step at a time per decoder.
 *
 * <p>A step runs all layers over its tokens: {@code norm -> q, k, v -> append, attend -> output projection -> residual ->
 * norm -> gated MLP -> residual}; what only some families do stands in the {@link
 * ModelConfig} and in {@link Weights.Extras}. Activations are f32. Logits do not depend on the number of threads.
 */
public final class Decoder {
    private final Model model;
    private final ModelConfig config;
    private final Workers workers;
    private final Linear linear;
    private final LayerStates states;
    // All [tokens of the largest step][...].
    private float[] residual = {};
    private float[] normed = {};
    private float[] attended = {};
    private float[] gate = {};
    private float[] up = {};
    private float[] projected = {};

    /** A decoder of {@code model} in F32, whose buffers grow to the largest step seen. */
    public Decoder(Model model, Workers workers) {
        this(model, workers, Precision.F32);
    }

    /** A decoder of {@code model}; with {@link Precision#BF16} a prompt's logits differ a little from those of its tokens fed one by one. */
    public Decoder(Model model, Workers workers, Precision precision) {
        this.model = model;
        this.config = model.config();
        this.workers = workers;
        this.linear = new Linear(workers, precision);
        this.states = new LayerStates(model, workers, linear);
    }

    /** The model it runs. */
    public Model model() {
        return model;
    }

    /**
     * Feeds {@code count} tokens as one step and writes the logits of the last one.
     *
     * @param tokens ids; those of {@code from} to {@code from + count - 1} are fed
     * @param logits receives {@code [vocabularySize]}
     * @throws InvalidInputException if a token is not in the vocabulary, the step would pass the context length, the
     *     cache has another model's shape or an array is too short; the cache is then as it was before
     * @throws dev.kvasir.cache.CacheBudgetException if the cache's pool cannot hold the step; likewise
     */
    public void forward(KvCache cache, int[] tokens, int from, int count, float[] logits) {
        check(cache, tokens, from, count, logits, 1);
        step(cache, tokens, from, count, 1);
        writeLogits(1, logits);
    }

    /** As {@link #forward}, with the logits of every token of the step, {@code [count][vocabularySize]}. */
    public void forwardAll(KvCache cache, int[] tokens, int from, int count, float[] logits) {
        check(cache, tokens, from, count, logits, count);
        step(cache, tokens, from, count, count);
        writeLogits(count, logits);
    }

    private void check(KvCache cache, int[] tokens, int from, int count, float[] logits, int wanted) {
        if (count < 1) {
            throw new InvalidInputException("a step must have at least 1 token, found " + count);
        }
        if (from < 0 || (long) from + count > tokens.length) {
            throw new InvalidInputException("tokens " + from + " to " + ((long) from + count - 1)
                    + " must lie in an array of " + tokens.length);
        }
        for (int i = from; i < from + count; i++) {
            if (tokens[i] < 0 || tokens[i] >= config.vocabularySize()) {
                throw new InvalidInputException(
                        "token ids must be 0 to " + (config.vocabularySize() - 1) + ", found " + tokens[i]);
            }
        }
        if (logits.length < (long) wanted * config.vocabularySize()) {
            throw new InvalidInputException("logits of " + wanted + " tokens need "
                    + (long) wanted * config.vocabularySize() + " floats, found " + logits.length);
        }
        if (!cache.shape().equals(config.cacheShape())) {
            throw new InvalidInputException(
                    "the cache must be made for " + config.cacheShape() + ", found " + cache.shape());
        }
        long last = (long) cache.length() + count - 1;
        if (last >= config.contextLength()) {
            throw new InvalidInputException(
                    "position " + last + " is beyond the context length of " + config.contextLength() + " tokens");
        }
    }

    /** Runs all layers; leaves the residual stream of the last {@code wanted} tokens in the first rows. */
    private void step(KvCache cache, int[] tokens, int from, int count, int wanted) {
        reserve(count);
        cache.reserve(count);
        int position = cache.length();
        states.reserve(count, position);
        int hidden = config.hiddenSize();
        TokenParts.run(workers, count, hidden, t -> embed(tokens[from + t], t));
        for (int i = 0; i < config.layers(); i++) {
            Weights.Layer layer = model.weights().layers().get(i);
            attention(i, layer, cache.layer(i), count);
            // What follows the last layer's attention matters only for the tokens whose logits are wanted.
            boolean last = i == config.layers() - 1;
            int kept = last ? wanted : count;
            keepLast(residual, hidden, count, kept);
            keepLast(attended, config.heads() * config.headDim(), count, kept);
            addAttended(layer, kept);
            mlp(layer, kept);
        }
        if (cache.length() != position + count) {
            throw new IllegalStateException(
                    "cache " + cache.spec() + " counts " + cache.length() + " tokens after " + (position + count));
        }
    }

    private void embed(int token, int t) {
        int hidden = config.hiddenSize();
        RowReader.read(model.weights().embedding(), token, 0, hidden, residual, t * hidden);
        float scale = config.arithmetic().embeddingScale();
        if (scale != 1) {
            for (int i = t * hidden; i < (t + 1) * hidden; i++) {
                residual[i] *= scale;
            }
        }
    }

    private void reserve(int count) {
        int hidden = config.hiddenSize();
        residual = atLeast(residual, count, hidden);
        normed = atLeast(normed, count, hidden);
        projected = atLeast(projected, count, hidden);
        attended = atLeast(attended, count, config.heads() * config.headDim());
        gate = atLeast(gate, count, config.intermediateSize());
        up = atLeast(up, count, config.intermediateSize());
    }

    private static float[] atLeast(float[] array, int tokens, int width) {
        if ((long) tokens * width > Integer.MAX_VALUE - 8) {
            throw new InvalidInputException("a step of " + tokens + " tokens is too large for " + width
                    + " channels: feed at most " + (Integer.MAX_VALUE - 8) / width);
        }
        return array.length >= tokens * width ? array : new float[tokens * width];
    }

    private void attention(int index, Weights.Layer layer, LayerCache cache, int count) {
        norm(layer.attentionNorm(), count);
        states.begin(index, layer, residual, normed);
        cache.append(states);
        cache.attend(states, attended);
    }

    private void addAttended(Weights.Layer layer, int count) {
        linear.input(attended, count, config.heads() * config.headDim());
        linear.apply(layer.attentionOutput(), projected);
        addToResidual(layer.extras().attentionPostNorm(), count);
    }

    private void mlp(Weights.Layer layer, int count) {
        norm(layer.mlpNorm(), count);
        linear.apply(layer.gate(), gate);
        linear.apply(layer.up(), up);
        int width = config.intermediateSize();
        if (config.arithmetic().activation() == Activation.GELU_TANH) {
            TokenParts.run(workers, count, width, t -> Activations.geGlu(gate, up, t * width, (t + 1) * width));
        } else {
            TokenParts.run(workers, count, width, t -> Activations.swiGlu(gate, up, t * width, (t + 1) * width));
        }
        linear.input(gate, count, width);
        linear.apply(layer.down(), projected);
        addToResidual(layer.extras().mlpPostNorm(), count);
    }

    private void writeLogits(int count, float[] logits) {
        norm(model.weights().finalNorm(), count);
        linear.apply(model.weights().output(), logits);
        float cap = config.arithmetic().logitCap();
        if (cap > 0) {
            int width = config.vocabularySize();
            TokenParts.run(workers, count, width, t -> Activations.cap(logits, t * width, (t + 1) * width, cap));
        }
    }

    /** Norms the residual stream and makes it the input of the products that follow. */
    private void norm(float[] weight, int count) {
        int hidden = config.hiddenSize();
        TokenParts.run(
                workers,
                count,
                hidden,
                t -> Activations.rmsNorm(residual, t * hidden, weight, config.rmsNormEpsilon(), normed, t * hidden));
        linear.input(normed, count, hidden);
    }

    /** Adds what a block made to the residual stream, normed before if {@code postNorm} is not empty. */
    private void addToResidual(float[] postNorm, int count) {
        int hidden = config.hiddenSize();
        if (postNorm.length > 0) {
            float epsilon = config.rmsNormEpsilon();
            TokenParts.run(
                    workers,
                    count,
                    hidden,
                    t -> Activations.rmsNorm(projected, t * hidden, postNorm, epsilon, projected, t * hidden));
        }
        TokenParts.run(workers, count, hidden, t -> Activations.add(residual, projected, t * hidden, (t + 1) * hidden));
    }

    private static void keepLast(float[] rows, int width, int count, int kept) {
        if (kept < count) {
            System.arraycopy(rows, (count - kept) * width, rows, 0, kept * width);
        }
    }
}
