package dev.kvasir.model;

import dev.kvasir.tensor.Matrix;
import dev.kvasir.tensor.RotaryOrder;
import java.util.List;
import java.util.Optional;

/**
 * The weights of a decoder. Projections are {@code [out][in]}; norms are f32 vectors {@code [hiddenSize]}, as they multiply: a
 * reader of files that keep {@code w} for {@code 1 + w} adds the 1. Matrices that files keep as one are slices of it.
 *
 * @param embedding {@code [vocabularySize][hiddenSize]}
 * @param layers one entry per decoder layer
 * @param finalNorm {@code [hiddenSize]}
 * @param output {@code [vocabularySize][hiddenSize]}; the embedding itself where they are tied
 */
public record Weights(Matrix embedding, List<Layer> layers, float[] finalNorm, Matrix output) {
    /** Keeps its own list of layers. */
    public Weights {
        layers = List.copyOf(layers);
    }

    /**
     * One decoder layer.
     *
     * @param attentionNorm {@code [hiddenSize]}, before attention
     * @param q {@code [heads * headDim][hiddenSize]}, rows in the layout of the layer's {@link Rotary}, or in {@code
     *     rotaryOrder}
     * @param k {@code [kvHeads * headDim][hiddenSize]}, likewise
     * @param v {@code [kvHeads * headDim][hiddenSize]}
     * @param attentionOutput {@code [hiddenSize][heads * headDim]}
     * @param mlpNorm {@code [hiddenSize]}, before the MLP
     * @param gate {@code [intermediateSize][hiddenSize]}
     * @param up {@code [intermediateSize][hiddenSize]}
     * @param down {@code [hiddenSize][intermediateSize]}
     * @param rotaryOrder where the rotary pairs of queries and keys lie, if a conversion has moved them
     * @param extras what Llama does not have
     */
    public record Layer(
            float[] attentionNorm,
            Matrix q,
            Matrix k,
            Matrix v,
            Matrix attentionOutput,
            float[] mlpNorm,
            Matrix gate,
            Matrix up,
            Matrix down,
            Optional<RotaryOrder> rotaryOrder,
            Extras extras) {
        /** A layer of a Llama in the usual rotary order. */
        public Layer(
                float[] attentionNorm,
                Matrix q,
                Matrix k,
                Matrix v,
                Matrix attentionOutput,
                float[] mlpNorm,
                Matrix gate,
                Matrix up,
                Matrix down) {
            this(attentionNorm, q, k, v, attentionOutput, mlpNorm, gate, up, down, Optional.empty(), Extras.NONE);
        }
    }

    /**
     * What only some families have; an empty vector where a layer lacks it. Vectors of queries and keys are in the order of
     * the rows of {@code q} and {@code k}.
     *
     * @param queryBias {@code [heads * headDim]} (Qwen 2)
     * @param keyBias {@code [kvHeads * headDim]}
     * @param valueBias {@code [kvHeads * headDim]}
     * @param queryNorm {@code [headDim]}: RMSNorm of every query head before RoPE (Qwen 3, Gemma 3)
     * @param keyNorm {@code [headDim]}: the same of key heads
     * @param attentionPostNorm {@code [hiddenSize]}: of what attention adds to the residual stream (Gemma 2 and 3)
     * @param mlpPostNorm {@code [hiddenSize]}: of what the MLP adds
     */
    public record Extras(
            float[] queryBias,
            float[] keyBias,
            float[] valueBias,
            float[] queryNorm,
            float[] keyNorm,
            float[] attentionPostNorm,
            float[] mlpPostNorm) {
        private static final float[] LACKING = {};
        /** A layer of a Llama. */
        public static final Extras NONE = new Extras(LACKING, LACKING, LACKING, LACKING, LACKING, LACKING, LACKING);

        /** Whether the layer has none of these. */
        public boolean isNone() {
            return queryBias.length == 0
                    && valueBias.length == 0
                    && !changesKeys()
                    && queryNorm.length == 0
                    && attentionPostNorm.length == 0
                    && mlpPostNorm.length == 0;
        }

        /** Whether keys are more than a product of {@code k} and the layer's input. */
        public boolean changesKeys() {
            return keyBias.length > 0 || keyNorm.length > 0;
        }
    }
}
