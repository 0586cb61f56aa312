package dev.kvasir.cache;

import dev.kvasir.InvalidInputException;
import dev.kvasir.tensor.RotaryTable;
import java.util.List;

/**
 * What a cache may ask of a model.
 *
 * @param shape layers, heads and widths
 * @param rotaries the rotary embedding of each layer, or one for all, for caches that hold keys before it
 * @param calibrations what was learnt of the model beforehand
 * @param projections the weights that make keys and values
 * @param contextLength tokens it was trained on at most
 * @param reordered whether a conversion has moved the rotary pairs, so that {@code rotary} alone cannot rotate a key
 */
public record CacheModel(
        CacheShape shape,
        List<RotaryTable> rotaries,
        Calibrations calibrations,
        Projections projections,
        int contextLength,
        boolean reordered) {
    private static final int ANY_LENGTH = Integer.MAX_VALUE;

    /** Keeps its own list of tables. */
    public CacheModel {
        rotaries = List.copyOf(rotaries);
        if (rotaries.size() != 1 && rotaries.size() != shape.layers()) {
            throw new IllegalArgumentException(rotaries.size() + " rotary tables for " + shape.layers() + " layers");
        }
    }

    /** A model in the usual rotary order, of which neither weights nor length are known, all layers rotated alike. */
    public CacheModel(CacheShape shape, RotaryTable rotary, Calibrations calibrations) {
        this(shape, List.of(rotary), calibrations, Projections.NONE, ANY_LENGTH, false);
    }

    /**
     * The rotary embedding of a layer, for caches that hold keys before it. Pairs that do not turn have the frequency 0, and
     * what YaRN multiplies rotated channels by is in the queries.
     *
     * @throws InvalidInputException if the model's pairs are {@linkplain #reordered}: such a cache would be wrong
     */
    public RotaryTable rotary(int layer) {
        if (reordered) {
            throw new InvalidInputException("this cache rotates keys itself and cannot serve a model whose rotary pairs"
                    + " were reordered by kvasir convert: use it with the model that was converted");
        }
        return rotaries.get(rotaries.size() == 1 ? 0 : layer);
    }

    /**
     * The rotary embedding of all layers.
     *
     * @throws InvalidInputException if layers are rotated differently, or as {@link #rotary(int)}
     */
    public RotaryTable rotary() {
        RotaryTable first = rotary(0);
        if (rotaries.stream().anyMatch(table -> table != first)) {
            throw new InvalidInputException("this cache rotates keys of all layers alike and cannot serve a model whose"
                    + " layers are rotated differently");
        }
        return first;
    }

    /** A model of that shape with an unstretched rotary embedding of base 10,000 and no calibrations. */
    public static CacheModel of(CacheShape shape) {
        return new CacheModel(shape, RotaryTable.of(shape.headDim(), 10_000), Calibrations.NONE);
    }
}
