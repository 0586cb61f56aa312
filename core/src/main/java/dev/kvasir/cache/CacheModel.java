package dev.kvasir.cache;

import dev.kvasir.InvalidInputException;
import dev.kvasir.tensor.RotaryTable;

/**
 * What a cache may ask of a model.
 *
 * @param shape layers, heads and widths
 * @param rotary the rotary embedding, for caches that hold keys before it
 * @param calibrations what was learnt of the model beforehand
 * @param projections the weights that make keys and values
 * @param contextLength tokens it was trained on at most
 * @param reordered whether a conversion has moved the rotary pairs, so that {@code rotary} alone cannot rotate a key
 */
public record CacheModel(
        CacheShape shape,
        RotaryTable rotary,
        Calibrations calibrations,
        Projections projections,
        int contextLength,
        boolean reordered) {
    private static final int ANY_LENGTH = Integer.MAX_VALUE;

    /** A model in the usual rotary order, of which neither weights nor length are known. */
    public CacheModel(CacheShape shape, RotaryTable rotary, Calibrations calibrations) {
        this(shape, rotary, calibrations, Projections.NONE, ANY_LENGTH, false);
    }

    /**
     * The rotary embedding, for caches that hold keys before it.
     *
     * @throws InvalidInputException if the model's pairs are {@linkplain #reordered}: such a cache would be wrong
     */
    @Override
    public RotaryTable rotary() {
        if (reordered) {
            throw new InvalidInputException("this cache rotates keys itself and cannot serve a model whose rotary pairs"
                    + " were reordered by kvasir convert: use it with the model that was converted");
        }
        return rotary;
    }

    /** A model of that shape with an unstretched rotary embedding of base 10,000 and no calibrations. */
    public static CacheModel of(CacheShape shape) {
        return new CacheModel(shape, RotaryTable.of(shape.headDim(), 10_000), Calibrations.NONE);
    }
}
