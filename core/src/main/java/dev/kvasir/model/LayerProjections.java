package dev.kvasir.model;

import dev.kvasir.InvalidInputException;
import dev.kvasir.cache.Derivations;
import dev.kvasir.cache.Projections;
import dev.kvasir.tensor.Matrix;

/** A model's own key and value projections, for caches that make keys and values again. */
final class LayerProjections implements Projections {
    private final ModelConfig config;
    private final Weights weights;
    private final Derivations derivations = new Derivations();

    LayerProjections(ModelConfig config, Weights weights) {
        this.config = config;
        this.weights = weights;
    }

    @Override
    public Derivations derivations() {
        return derivations;
    }

    @Override
    public Matrix keys(int layer) {
        Weights.Layer found = weights.layers().get(layer);
        if (found.extras().keyBias().length > 0) {
            throw refusal("keys have a bias");
        }
        if (found.extras().keyNorm().length > 0) {
            throw refusal("keys are normed head by head before they are rotated");
        }
        if (!config.rotary(layer).isInPlace(config.headDim())) {
            throw refusal("keys' rows are not in halves of whole heads");
        }
        return found.k();
    }

    @Override
    public Matrix values(int layer) {
        Weights.Layer found = weights.layers().get(layer);
        if (found.extras().valueBias().length > 0) {
            throw refusal("values have a bias");
        }
        return found.v();
    }

    private InvalidInputException refusal(String why) {
        return new InvalidInputException("this cache makes keys and values again by a product of the layer's input and"
                + " cannot serve a " + config.family() + " model, whose " + why);
    }
}
