package dev.kvasir.model;

import dev.kvasir.tensor.Matrix;
import dev.kvasir.tensor.RotaryOrder;
import java.util.List;
import java.util.Optional;

/**
 * The weights of a Llama decoder. Projections are {@code [out][in]}; norms are f32 vectors {@code [hiddenSize]}.
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
     * @param attentionNorm {@code [hiddenSize]}
     * @param q {@code [heads * headDim][hiddenSize]}, rows in Hugging Face's half-split rotary order, or in {@code
     *     rotaryOrder}
     * @param k {@code [kvHeads * headDim][hiddenSize]}, likewise
     * @param v {@code [kvHeads * headDim][hiddenSize]}
     * @param attentionOutput {@code [hiddenSize][heads * headDim]}
     * @param mlpNorm {@code [hiddenSize]}
     * @param gate {@code [intermediateSize][hiddenSize]}
     * @param up {@code [intermediateSize][hiddenSize]}
     * @param down {@code [hiddenSize][intermediateSize]}
     * @param rotaryOrder where the rotary pairs of queries and keys lie, if a conversion has moved them
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
            Optional<RotaryOrder> rotaryOrder) {
        /** A layer in the usual rotary order. */
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
            this(attentionNorm, q, k, v, attentionOutput, mlpNorm, gate, up, down, Optional.empty());
        }
    }
}
