package dev.kvasir.train;

import dev.kvasir.cache.CacheShape;
import dev.kvasir.cache.CacheSpec;
import dev.kvasir.cache.Footprint;
import dev.kvasir.cache.KvCache;
import dev.kvasir.cache.LayerCache;
import dev.kvasir.cache.Queries;
import dev.kvasir.cache.TokenStates;
import dev.kvasir.tensor.RotaryTable;
import java.io.OutputStream;

/** A cache for one step from position 0 that shifts one element of one layer's keys before RoPE, or of its values. */
final class ShiftedCache implements KvCache {
    private final KvCache cache;
    private final Shift shift;
    private final RotaryTable rotary;

    /** What is added: {@code by} to an element of {@code [tokens][kvHeads][headDim]}. */
    record Shift(int layer, boolean values, int element, float by) {}

    ShiftedCache(KvCache cache, Shift shift, double[] frequencies) {
        this.cache = cache;
        this.shift = shift;
        this.rotary = new RotaryTable(frequencies);
    }

    @Override
    public LayerCache layer(int layer) {
        LayerCache plain = cache.layer(layer);
        if (layer != shift.layer()) {
            return plain;
        }
        return new LayerCache() {
            @Override
            public void append(TokenStates states) {
                plain.append(new Shifted(states));
            }

            @Override
            public void attend(Queries queries, float[] output) {
                plain.attend(queries, output);
            }
        };
    }

    private final class Shifted implements TokenStates {
        private final TokenStates states;

        Shifted(TokenStates states) {
            this.states = states;
        }

        @Override
        public int count() {
            return states.count();
        }

        @Override
        public int firstPosition() {
            return states.firstPosition();
        }

        @Override
        public float[] residual() {
            return states.residual();
        }

        @Override
        public float[] input() {
            return states.input();
        }

        @Override
        public float[] keysBeforeRope() {
            float[] keys = states.keysBeforeRope().clone();
            keys[shift.element()] += shift.values() ? 0 : shift.by();
            return keys;
        }

        @Override
        public float[] keys() {
            float[] keys = keysBeforeRope();
            int kvHeads = shape().kvHeads();
            int width = kvHeads * shape().headDim();
            rotary.reach(count());
            for (int t = 0; t < count(); t++) {
                rotary.rotate(t, kvHeads, keys, t * width, keys, t * width);
            }
            return keys;
        }

        @Override
        public float[] values() {
            float[] values = states.values().clone();
            values[shift.element()] += shift.values() ? shift.by() : 0;
            return values;
        }
    }

    @Override
    public CacheShape shape() {
        return cache.shape();
    }

    @Override
    public CacheSpec spec() {
        return cache.spec();
    }

    @Override
    public int length() {
        return cache.length();
    }

    @Override
    public void reserve(int tokens) {
        cache.reserve(tokens);
    }

    @Override
    public Footprint footprint() {
        return cache.footprint();
    }

    @Override
    public KvCache fork() {
        throw new UnsupportedOperationException();
    }

    @Override
    public int rollbackLimit() {
        return 0;
    }

    @Override
    public void rollback(int tokens) {
        throw new UnsupportedOperationException();
    }

    @Override
    public void save(OutputStream out, String modelFingerprint) {
        throw new UnsupportedOperationException();
    }

    @Override
    public void close() {}
}
