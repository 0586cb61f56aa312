package dev.kvasir.cache;

import dev.kvasir.InvalidInputException;
import dev.kvasir.tensor.Matrix;

/** The weights that make keys and values of a layer's input, for caches that hold the input instead. */
public interface Projections {
    /** A model of which the weights are not known. */
    Projections NONE = new Projections() {
        @Override
        public Matrix keys(int layer) {
            throw new InvalidInputException("this cache needs the weights of the model it serves");
        }

        @Override
        public Matrix values(int layer) {
            return keys(layer);
        }
    };

    /** {@code [kvHeads * headDim][hiddenSize]}: keys before RoPE. */
    Matrix keys(int layer);

    /** {@code [kvHeads * headDim][hiddenSize]}. */
    Matrix values(int layer);

    /** What caches have made of these weights; kept by who holds them, else made again for every cache. */
    default Derivations derivations() {
        return new Derivations();
    }
}
