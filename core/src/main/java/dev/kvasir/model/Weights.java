package dev.kvasir.model;

import dev.kvasir.tensor.Matrix;
import java.util.List;

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
     * @param q {@code [heads * headDim][hiddenSize]}, rows in Hugging Face's half-split rotary order
     * @param k {@code [kvHeads * headDim][hiddenSize]}, likewise
     * @param v {@code [kvHeads * headDim][hiddenSize]}
     * @param attentionOutput {@code [hiddenSize][heads * headDim]}
     * @param mlpNorm {@code [hiddenSize]}
     * @param gate {@code [intermediateSize][hiddenSize]}
     * @param up {@code [intermediateSize][hiddenSize]}
     * @param down {@code [hiddenSize][intermediateSize]}
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
            Matrix down) {}
}
