package dev.kvasir.cache;

/** One step of given rows: what tests of a method's numbers feed. */
public final class OneStep {
    private OneStep() {}

    /** States whose keys, before and after RoPE alike, and values are these, {@code [count][kvHeads][headDim]}. */
    public static TokenStates states(int first, int count, float[] keys, float[] values) {
        return states(first, count, keys, keys, values);
    }

    /** States with these keys before RoPE and after. */
    public static TokenStates states(int first, int count, float[] keysBeforeRope, float[] keys, float[] values) {
        return new TokenStates() {
            @Override
            public int count() {
                return count;
            }

            @Override
            public int firstPosition() {
                return first;
            }

            @Override
            public float[] residual() {
                throw new AssertionError("asked for the residual stream");
            }

            @Override
            public float[] input() {
                throw new AssertionError("asked for the input");
            }

            @Override
            public float[] keysBeforeRope() {
                return keysBeforeRope;
            }

            @Override
            public float[] keys() {
                return keys;
            }

            @Override
            public float[] values() {
                return values;
            }
        };
    }

    /** Queries {@code [count][heads][headDim]}, before and after RoPE alike. */
    public static Queries queries(int count, float[] queries) {
        return new Queries() {
            @Override
            public int count() {
                return count;
            }

            @Override
            public float[] queriesBeforeRope() {
                return queries;
            }

            @Override
            public float[] queries() {
                return queries;
            }
        };
    }

    /** Feeds rows of one layer to a cache, with queries of zeros. */
    public static void store(KvCache cache, float[] keys, float[] values) {
        CacheShape shape = cache.shape();
        int count = keys.length / (shape.kvHeads() * shape.headDim());
        int width = shape.heads() * shape.headDim();
        cache.layer(0).append(states(cache.length(), count, keys, values));
        cache.layer(0).attend(queries(count, new float[count * width]), new float[count * width]);
    }

    /** Calibrations that hold this one, whatever file is asked for. */
    public static Calibrations calibrations(Calibration calibration) {
        return (method, file) -> {
            if (!calibration.method().equals(method)) {
                throw new Calibration.CalibrationException(method, "is " + calibration.method() + "'s");
            }
            return calibration;
        };
    }
}
