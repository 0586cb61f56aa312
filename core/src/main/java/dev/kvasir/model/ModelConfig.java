package dev.kvasir.model;

import dev.kvasir.InvalidInputException;
import dev.kvasir.cache.CacheShape;
import dev.kvasir.tensor.RotaryOrder;
import java.util.Collections;
import java.util.List;
import java.util.Optional;

/**
 * A decoder described: what the one forward pass must know to be any of the supported families.
 *
 * @param family what the model calls itself ({@code model_type}, or GGUF's architecture); for people, decides nothing
 * @param sizes widths and depth
 * @param kinds what each layer's attention sees and how it is rotated, one for each layer
 * @param arithmetic activation, scales and caps
 * @param tiedEmbeddings whether the output projection is the embedding
 * @param bosToken id that starts a text, if the model has one
 * @param eosTokens ids that end a text; may be empty
 * @param ropeBlock channels of a block of rotary pairs, if a conversion has moved the pairs; each layer then has a {@link
 *     dev.kvasir.tensor.RotaryOrder}
 */
public record ModelConfig(
        String family,
        Sizes sizes,
        List<LayerKind> kinds,
        Arithmetic arithmetic,
        boolean tiedEmbeddings,
        Optional<Integer> bosToken,
        List<Integer> eosTokens,
        Optional<Integer> ropeBlock) {

    /**
     * Checks what the fields say of each other.
     *
     * @throws InvalidInputException naming the field, the value found and what is allowed
     */
    public ModelConfig {
        kinds = List.copyOf(kinds);
        eosTokens = List.copyOf(eosTokens);
        if (kinds.size() != sizes.layers()) {
            throw new InvalidInputException(
                    "a model of " + sizes.layers() + " layers needs as many kinds of layers, found " + kinds.size());
        }
        for (LayerKind kind : kinds) {
            checkRotary(kind.rotary(), sizes, ropeBlock.isPresent());
        }
        ropeBlock.ifPresent(block -> RotaryOrder.checkBlock(block, sizes.headDim()));
        token("bos token", bosToken.orElse(0), sizes.vocabularySize());
        for (int eos : eosTokens) {
            token("eos token", eos, sizes.vocabularySize());
        }
    }

    private static void checkRotary(Rotary rotary, Sizes sizes, boolean reordered) {
        if (rotary.dims() > sizes.headDim()) {
            throw new InvalidInputException(
                    "rotary channels must be at most the head's " + sizes.headDim() + ", found " + rotary.dims());
        }
        if (reordered && (!rotary.isInPlace(sizes.headDim()) || rotary.dims() == 0)) {
            throw new InvalidInputException("rotary pairs can be reordered only where whole heads turn, in halves");
        }
        rotary.frequencies(sizes.headDim(), sizes.contextLength());
    }

    private static void token(String name, int id, int vocabularySize) {
        if (id < 0 || id >= vocabularySize) {
            throw new InvalidInputException(name + " must be 0 to " + (vocabularySize - 1) + ", found " + id);
        }
    }

    /** A Llama: every layer sees all tokens and is rotated alike. Throws as the constructor. */
    public static ModelConfig llama(
            int hiddenSize,
            int intermediateSize,
            int layers,
            int heads,
            int kvHeads,
            int headDim,
            int vocabularySize,
            int contextLength,
            float rmsNormEpsilon,
            float ropeTheta,
            RopeScaling ropeScaling,
            boolean tiedEmbeddings,
            Optional<Integer> bosToken,
            List<Integer> eosTokens) {
        Sizes sizes =
                new Sizes(hiddenSize, intermediateSize, layers, heads, kvHeads, headDim, vocabularySize, contextLength);
        Rotary rotary = new Rotary(ropeTheta, headDim, ropeScaling, Rotary.Layout.HALVES);
        return new ModelConfig(
                "llama",
                sizes,
                Collections.nCopies(layers, LayerKind.global(rotary)),
                Arithmetic.llama(rmsNormEpsilon, headDim),
                tiedEmbeddings,
                bosToken,
                eosTokens,
                Optional.empty());
    }

    /** Whether this is arithmetic that Llama has too: one rotation of whole heads, no windows, scales or caps. */
    public boolean isLlama() {
        LayerKind first = kinds.getFirst();
        return first.window().isEmpty()
                && first.rotary().isInPlace(headDim())
                && first.rotary().dims() == headDim()
                && first.rotary().gain(contextLength()) == 1
                && kinds.stream().allMatch(first::equals)
                && arithmetic.equals(Arithmetic.llama(arithmetic.rmsNormEpsilon(), headDim()));
    }

    /** Width of the residual stream. */
    public int hiddenSize() {
        return sizes.hiddenSize();
    }

    /** Width of the gated MLP. */
    public int intermediateSize() {
        return sizes.intermediateSize();
    }

    /** Decoder layers. */
    public int layers() {
        return sizes.layers();
    }

    /** Query heads. */
    public int heads() {
        return sizes.heads();
    }

    /** Key and value heads. */
    public int kvHeads() {
        return sizes.kvHeads();
    }

    /** Channels of one head. */
    public int headDim() {
        return sizes.headDim();
    }

    /** Rows of the embedding. */
    public int vocabularySize() {
        return sizes.vocabularySize();
    }

    /** Largest position the model was trained for, plus one. */
    public int contextLength() {
        return sizes.contextLength();
    }

    /** Added under the root of every RMSNorm. */
    public float rmsNormEpsilon() {
        return arithmetic.rmsNormEpsilon();
    }

    /** How a layer is rotated. */
    public Rotary rotary(int layer) {
        return kinds.get(layer).rotary();
    }

    /** Radians per position of each pair of a head of a layer, {@code [headDim / 2]}. */
    public double[] rotaryFrequencies(int layer) {
        return rotary(layer).frequencies(headDim(), contextLength());
    }

    /** What a cache for this model must know. */
    public CacheShape cacheShape() {
        boolean windowed = kinds.stream().anyMatch(kind -> kind.window().isPresent());
        List<Integer> windows = windowed
                ? kinds.stream()
                        .map(kind -> kind.window().orElse(CacheShape.ALL))
                        .toList()
                : List.of();
        return new CacheShape(layers(), heads(), kvHeads(), headDim(), hiddenSize(), windows, arithmetic.scoreCap());
    }
}
