package dev.kvasir.cache.method.minicache;

import dev.kvasir.cache.Queries;

/** The queries of tokens that are merged later than they attend: none. */
record NoQueries(int count) implements Queries {
    @Override
    public float[] queries() {
        throw gone();
    }

    @Override
    public float[] queriesBeforeRope() {
        throw gone();
    }

    private static IllegalStateException gone() {
        return new IllegalStateException("directions have no queries");
    }
}
