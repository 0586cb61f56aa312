package dev.kvasir.model;

import dev.kvasir.InvalidInputException;

/**
 * How wide and how deep a decoder is.
 *
 * @param hiddenSize width of the residual stream
 * @param intermediateSize width of the gated MLP
 * @param layers decoder layers
 * @param heads query heads
 * @param kvHeads key and value heads; divides {@code heads}
 * @param headDim channels of one head; even; need not be {@code hiddenSize / heads}
 * @param vocabularySize rows of the embedding
 * @param contextLength largest position the model was trained for, plus one
 */
public record Sizes(
        int hiddenSize,
        int intermediateSize,
        int layers,
        int heads,
        int kvHeads,
        int headDim,
        int vocabularySize,
        int contextLength) {
    /**
     * Checks what the fields say of each other.
     *
     * @throws InvalidInputException naming the field, the value found and what is allowed
     */
    public Sizes {
        positive("hidden size", hiddenSize);
        positive("intermediate size", intermediateSize);
        positive("layers", layers);
        positive("heads", heads);
        positive("KV heads", kvHeads);
        positive("head dimension", headDim);
        positive("vocabulary size", vocabularySize);
        positive("context length", contextLength);
        if (heads % kvHeads != 0) {
            throw new InvalidInputException("KV heads must divide the " + heads + " heads, found " + kvHeads);
        }
        if (headDim % 2 != 0 || (long) heads * headDim > Integer.MAX_VALUE) {
            throw new InvalidInputException(
                    "head dimension must be even and small enough for " + heads + " heads, found " + headDim);
        }
    }

    private static void positive(String name, int value) {
        if (value <= 0) {
            throw new InvalidInputException(name + " must be above 0, found " + value);
        }
    }
}
