package dev.kvasir.model;

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
        List<Integer> eosTokens) {

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
            String type,
            float factor,
            float lowFrequencyFactor,
            float highFrequencyFactor,
            int originalContextLength) {}
}
