package dev.kvasir.cache;

import dev.kvasir.tensor.RotaryTable;

/**
 * What a cache may ask of a model.
 *
 * @param shape layers, heads and widths
 * @param rotary the rotary embedding, for caches that hold keys before it
 * @param calibrations what was learnt of the model beforehand
 */
public record CacheModel(CacheShape shape, RotaryTable rotary, Calibrations calibrations) {
    /** A model of that shape with an unstretched rotary embedding of base 10,000 and no calibrations. */
    public static CacheModel of(CacheShape shape) {
        return new CacheModel(shape, RotaryTable.of(shape.headDim(), 10_000), Calibrations.NONE);
    }
}
