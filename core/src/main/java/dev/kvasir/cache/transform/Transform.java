package dev.kvasir.cache.transform;

/**
 * An invertible change of basis {@code T} of a row of channels. What is stored is {@code T k}; a query becomes {@code
 * T^-t q}, so that {@code <T^-t q, T k> = <q, k>}; a weighted sum of stored rows is brought back by {@code T^-1}.
 *
 * <p>All work in place, allocate nothing once warm, and may be called by several threads at
 * once.
 */
public interface Transform {
    /** No change. */
    Transform NONE = new None();

    /** Whether nothing happens at all. */
    boolean isNone();

    /** Channels of a row; 0 if any number will do. */
    int width();

    /** The stored side: transforms {@code rows} rows of {@link #width} channels in place, one after the other. */
    void apply(float[] x, int offset, int rows);

    /** The side of the queries: the inverse of the transpose. */
    void applyToQueries(float[] x, int offset, int rows);

    /** Takes {@link #apply} back: for sums of stored rows, or stored rows themselves. */
    void invert(float[] x, int offset, int rows);

    /** The identity. */
    record None() implements Orthonormal {
        @Override
        public boolean isNone() {
            return true;
        }

        @Override
        public int width() {
            return 0;
        }

        @Override
        public void apply(float[] x, int offset, int rows) {}

        @Override
        public void invert(float[] x, int offset, int rows) {}
    }
}
