package dev.kvasir.train.net;

import dev.kvasir.InvalidInputException;
import dev.kvasir.model.ModelConfig;

/**
 * The shape of a Llama decoder; those to train have tied embeddings.
 *
 * @param hiddenSize width of the residual stream
 * @param intermediateSize width of the gated MLP
 * @param layers decoder layers
 * @param heads query heads
 * @param kvHeads key and value heads; divides {@code heads}
 * @param headDim channels of a head; even
 * @param ropeTheta base of the rotary frequencies
 * @param rmsNormEpsilon added under the root of RMSNorm
 */
public record NetShape(
        int hiddenSize,
        int intermediateSize,
        int layers,
        int heads,
        int kvHeads,
        int headDim,
        float ropeTheta,
        float rmsNormEpsilon) {
    /** Checks ranges and divisibility. */
    public NetShape {
        if (hiddenSize < 1 || intermediateSize < 1 || layers < 1 || heads < 1 || kvHeads < 1 || headDim < 2) {
            throw new InvalidInputException("shape: every size must be at least 1 and headDim at least 2, found hidden "
                    + hiddenSize + ", intermediate " + intermediateSize + ", layers " + layers + ", heads " + heads
                    + ", kvHeads " + kvHeads + ", headDim " + headDim);
        }
        if (heads % kvHeads != 0) {
            throw new InvalidInputException("shape: heads " + heads + " is not a multiple of kvHeads " + kvHeads);
        }
        if (headDim % 2 != 0) {
            throw new InvalidInputException("shape: headDim must be even for RoPE, found " + headDim);
        }
    }

    /** The shape of a model to compute with. */
    static NetShape of(ModelConfig config) {
        if (config.ropeBlock().isPresent()) {
            throw new InvalidInputException(
                    "gradients of a model whose rotary pairs were reordered by kvasir convert are"
                            + " not supported: take the model that was converted");
        }
        if (!config.isLlama()) {
            throw new InvalidInputException("gradients are made of plain Llamas only, found a model of the family "
                    + config.family() + " with windows, scales, caps or a partial rotary embedding");
        }
        return new NetShape(
                config.hiddenSize(),
                config.intermediateSize(),
                config.layers(),
                config.heads(),
                config.kvHeads(),
                config.headDim(),
                config.rotary(0).theta(),
                config.rmsNormEpsilon());
    }
}
