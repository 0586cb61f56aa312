package dev.kvasir.cache.transform;

/** A change of basis that keeps inner products by itself: queries go through the same as what is stored. */
public interface Orthonormal extends Transform {
    @Override
    default void applyToQueries(float[] x, int offset, int rows) {
        apply(x, offset, rows);
    }
}
