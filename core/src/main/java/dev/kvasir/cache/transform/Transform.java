package dev.kvasir.cache.transform;

/** An orthonormal change of basis of one head's channels, so that inner products stay what they are. */
public interface Transform {
    /** No change. */
    Transform NONE = new None();

    /** Whether {@link #apply} and {@link #invert} do nothing. */
    boolean isNone();

    /** Transforms {@code rows} rows of a head's width in place, one after the other. */
    void apply(float[] x, int offset, int rows);

    /** Takes {@link #apply} back. */
    void invert(float[] x, int offset, int rows);

    /** The identity. */
    record None() implements Transform {
        @Override
        public boolean isNone() {
            return true;
        }

        @Override
        public void apply(float[] x, int offset, int rows) {}

        @Override
        public void invert(float[] x, int offset, int rows) {}
    }
}
