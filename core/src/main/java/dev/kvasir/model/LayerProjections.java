package dev.kvasir.model;

import dev.kvasir.InvalidInputException;
import dev.kvasir.cache.Derivations;
import dev.kvasir.cache.Projections;
import dev.kvasir.tensor.Matrix;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.HashMap;
import java.util.Map;

/** A model's own key and value projections, for caches that make keys and values again. */
final class LayerProjections implements Projections {
    private final ModelConfig config;
    private final Weights weights;
    private final Derivations derivations = new Derivations();
    private final Map<Integer, Matrix> reordered = new HashMap<>();

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
        Rotary rotary = config.rotary(layer);
        return rotary.isInPlace(config.headDim()) ? found.k() : inOrder(layer, found.k(), rotary);
    }

    /** The rows where the decoder lays their channels: a copy, made when the first cache asks. */
    private Matrix inOrder(int layer, Matrix keys, Rotary rotary) {
        synchronized (reordered) {
            return reordered.computeIfAbsent(layer, _ -> reordered(keys, rotary.channels(config.headDim())));
        }
    }

    private static Matrix reordered(Matrix keys, int[] channels) {
        long rowBytes = keys.data().byteSize() / keys.rows();
        MemorySegment rows = Arena.ofAuto().allocate(keys.data().byteSize(), 64);
        for (int row = 0; row < keys.rows(); row++) {
            int head = row / channels.length * channels.length;
            long from = (long) head + channels[row - head];
            MemorySegment.copy(keys.data(), from * rowBytes, rows, row * rowBytes, rowBytes);
        }
        return new Matrix(keys.dtype(), keys.rows(), keys.columns(), rows.asReadOnly());
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
