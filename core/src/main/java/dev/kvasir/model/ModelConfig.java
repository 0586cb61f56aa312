package dev.kvasir.model;

import dev.kvasir.InvalidInputException;
import dev.kvasir.cache.CacheShape;
import dev.kvasir.tensor.RotaryOrder;
import java.util.List;
import java.util.Optional;

/**
 * The shape of a decoder of the Llama family, named as in Hugging Face's {@code config.json}.
 *
 * @param hiddenSize width of the residual stream
 * @param intermediateSize width of the gated MLP
 * @param layers decoder layers
 * @param heads query heads
 * @param kvHeads key and value heads; divides {@code heads}
 * @param headDim channels of one head; even
 * @param vocabularySize rows of the embedding
 * @param contextLength largest position the model was trained for, plus one
 * @param rmsNormEpsilon added under the root of RMSNorm
 * @param ropeTheta base of the rotary frequencies
 * @param ropeScaling how the rotary frequencies are stretched, if they are
 * @param tiedEmbeddings whether the output projection is the embedding
 * @param bosToken id that starts a text, if the model has one
 * @param eosTokens ids that end a text; may be empty
 * @param ropeBlock channels of a block of rotary pairs, if a conversion has moved the pairs; each layer then has a {@link
 *     dev.kvasir.tensor.RotaryOrder}
 */
public record ModelConfig(
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
        Optional<RopeScaling> ropeScaling,
        boolean tiedEmbeddings,
        Optional<Integer> bosToken,
        List<Integer> eosTokens,
        Optional<Integer> ropeBlock) {

    /** A model in the usual rotary order. Throws as the other. */
    public ModelConfig(
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
            Optional<RopeScaling> ropeScaling,
            boolean tiedEmbeddings,
            Optional<Integer> bosToken,
            List<Integer> eosTokens) {
        this(
                hiddenSize,
                intermediateSize,
                layers,
                heads,
                kvHeads,
                headDim,
                vocabularySize,
                contextLength,
                rmsNormEpsilon,
                ropeTheta,
                ropeScaling,
                tiedEmbeddings,
                bosToken,
                eosTokens,
                Optional.empty());
    }

    /**
     * Checks what the fields say of each other.
     *
     * @throws InvalidInputException naming the field, the value found and what is allowed
     */
    public ModelConfig {
        eosTokens = List.copyOf(eosTokens);
        positive("hidden size", hiddenSize);
        positive("intermediate size", intermediateSize);
        positive("layers", layers);
        positive("heads", heads);
        positive("KV heads", kvHeads);
        positive("head dimension", headDim);
        positive("vocabulary size", vocabularySize);
        positive("context length", contextLength);
        positive("rope theta", ropeTheta);
        if (!(rmsNormEpsilon >= 0 && rmsNormEpsilon < 1)) {
            throw new InvalidInputException("RMSNorm epsilon must be in [0, 1), found " + rmsNormEpsilon);
        }
        if (heads % kvHeads != 0) {
            throw new InvalidInputException("KV heads must divide the " + heads + " heads, found " + kvHeads);
        }
        if (headDim % 2 != 0 || (long) heads * headDim > Integer.MAX_VALUE) {
            throw new InvalidInputException(
                    "head dimension must be even and small enough for " + heads + " heads, found " + headDim);
        }
        ropeBlock.ifPresent(block -> RotaryOrder.checkBlock(block, headDim));
        token("bos token", bosToken.orElse(0), vocabularySize);
        for (int eos : eosTokens) {
            token("eos token", eos, vocabularySize);
        }
    }

    private static void positive(String name, float value) {
        if (!(value > 0 && value < Float.POSITIVE_INFINITY)) {
            throw new InvalidInputException(name + " must be above 0, found " + value);
        }
    }

    private static void positive(String name, int value) {
        if (value <= 0) {
            throw new InvalidInputException(name + " must be above 0, found " + value);
        }
    }

    private static void token(String name, int id, int vocabularySize) {
        if (id < 0 || id >= vocabularySize) {
            throw new InvalidInputException(name + " must be 0 to " + (vocabularySize - 1) + ", found " + id);
        }
    }

    /** What a cache for this model must know. */
    public CacheShape cacheShape() {
        return new CacheShape(layers, heads, kvHeads, headDim, hiddenSize);
    }

    /** Radians per position of each channel pair, {@code [headDim / 2]}, stretched as the configuration says. */
    public double[] rotaryFrequencies() {
        int half = headDim / 2;
        double[] frequencies = new double[half];
        for (int i = 0; i < half; i++) {
            double frequency = Math.pow(ropeTheta, -(double) i / half);
            frequencies[i] =
                    ropeScaling.map(scaling -> scaling.stretch(frequency)).orElse(frequency);
        }
        return frequencies;
    }

    /**
     * Frequency stretching of Llama 3.1 ({@code rope_type: llama3}) or plain division ({@code linear}).
     *
     * @param type {@code llama3} or {@code linear}
     * @param factor division of the low frequencies
     * @param lowFrequencyFactor llama3 only
     * @param highFrequencyFactor llama3 only
     * @param originalContextLength llama3 only
     */
    public record RopeScaling(
            String type, float factor, float lowFrequencyFactor, float highFrequencyFactor, int originalContextLength) {

        /**
         * Checks the type and the numbers it needs.
         *
         * @throws InvalidInputException naming the field, the value found and what is allowed
         */
        public RopeScaling {
            positive("rope scaling factor", factor);
            switch (type) {
                case "linear" -> {}
                case "llama3" -> {
                    positive("rope scaling original context length", originalContextLength);
                    positive("rope scaling low frequency factor", lowFrequencyFactor);
                    positive("rope scaling high frequency factor", highFrequencyFactor);
                    if (highFrequencyFactor <= lowFrequencyFactor) {
                        throw new InvalidInputException("rope scaling high frequency factor must be above the low one, "
                                + lowFrequencyFactor + ", found " + highFrequencyFactor);
                    }
                }
                default -> throw new InvalidInputException("rope scaling type must be llama3 or linear, found " + type);
            }
        }

        /**
         * One frequency, stretched: {@code linear} divides all; {@code llama3} divides those whose wavelength the original
         * context could not hold, keeps the high ones, and blends between.
         */
        double stretch(double frequency) {
            double stretched = frequency / factor;
            if (type.equals("linear")) {
                return stretched;
            }
            double turns = originalContextLength * frequency / (2 * Math.PI);
            double kept = Math.clamp(
                    (turns - lowFrequencyFactor) / ((double) highFrequencyFactor - lowFrequencyFactor), 0, 1);
            return (1 - kept) * stretched + kept * frequency;
        }
    }
}
