package dev.kvasir.model;

import dev.kvasir.cache.CacheShape;
import dev.kvasir.cache.CacheSpec;
import dev.kvasir.cache.Footprint;
import dev.kvasir.cache.KvCache;
import dev.kvasir.cache.LayerCache;
import dev.kvasir.cache.Queries;
import dev.kvasir.cache.TokenStates;
import java.io.OutputStream;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;

/** A cache that keeps all keys and values as they are, in lists; enough to run a decoder in tests. */
final class PlainCache implements KvCache {
    private final CacheShape shape;
    private final boolean asksEverything;
    private final List<Layer> layers = new ArrayList<>();
    private int length;

    PlainCache(ModelConfig config) {
        this(config, false);
    }

    /** With {@code asksEverything}, it looks at every state, before and after RoPE, in an unusual order. */
    PlainCache(ModelConfig config, boolean asksEverything) {
        this.shape = config.cacheShape();
        this.asksEverything = asksEverything;
        for (int i = 0; i < shape.layers(); i++) {
            layers.add(new Layer(i == shape.layers() - 1));
        }
    }

    @Override
    public CacheShape shape() {
        return shape;
    }

    @Override
    public CacheSpec spec() {
        return new CacheSpec("plain", Map.of());
    }

    @Override
    public int length() {
        return length;
    }

    @Override
    public LayerCache layer(int layer) {
        return layers.get(layer);
    }

    @Override
    public void reserve(int tokens) {}

    @Override
    public Footprint footprint() {
        return Footprint.ZERO;
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

    private static void requireOther(String what, float[] before, float[] after) {
        if (Arrays.equals(before, after)) {
            throw new AssertionError(what + " before and after RoPE are the same");
        }
    }

    /** The norm's weights are the same for all tokens, so between two tokens each channel must shrink by the same factor. */
    private void requireNormed(TokenStates states) {
        float[] residual = states.residual();
        float[] input = states.input();
        int width = shape.hiddenSize();
        for (int t = 1; t < states.count(); t++) {
            double factor = 0;
            for (int i = 0; i < width; i++) {
                int at = t * width + i;
                double found = (double) input[at] * residual[i] / ((double) input[i] * residual[at]);
                factor = i == 0 ? found : factor;
                if (Math.abs(found - factor) > 1e-4 * factor) {
                    throw new AssertionError("input of token " + t + " is not its residual after a norm");
                }
            }
        }
    }

    private final class Layer implements LayerCache {
        private final boolean last;
        private final List<float[]> keys = new ArrayList<>();
        private final List<float[]> values = new ArrayList<>();

        Layer(boolean last) {
            this.last = last;
        }

        @Override
        public void append(TokenStates states) {
            int width = shape.kvHeads() * shape.headDim();
            float[] before = {};
            if (asksEverything) {
                float[] rotated = states.keys();
                before = states.keysBeforeRope().clone();
                requireNormed(states);
                requireOther("keys", before, rotated);
            }
            for (int t = 0; t < states.count(); t++) {
                values.add(row(states.values(), t, width));
                keys.add(row(states.keys(), t, width));
            }
            if (asksEverything && !Arrays.equals(before, states.keysBeforeRope())) {
                throw new AssertionError("keys before RoPE changed");
            }
        }

        private static float[] row(float[] rows, int t, int width) {
            float[] row = new float[width];
            System.arraycopy(rows, t * width, row, 0, width);
            return row;
        }

        @Override
        public void attend(Queries queries, float[] output) {
            int count = queries.count();
            float[] q = queries.queries();
            if (asksEverything) {
                requireOther("queries", queries.queriesBeforeRope(), q);
            }
            for (int t = 0; t < count; t++) {
                for (int h = 0; h < shape.heads(); h++) {
                    attend(q, (t * shape.heads() + h) * shape.headDim(), h, keys.size() - count + t + 1, output);
                }
            }
            if (last) {
                length += count;
            }
        }

        private void attend(float[] q, int at, int head, int visible, float[] output) {
            int d = shape.headDim();
            int k0 = head / shape.queriesPerKvHead() * d;
            double[] weights = new double[visible];
            double sum = 0;
            for (int s = 0; s < visible; s++) {
                double score = 0;
                for (int i = 0; i < d; i++) {
                    score += (double) q[at + i] * keys.get(s)[k0 + i];
                }
                weights[s] = Math.exp(score / Math.sqrt(d));
                sum += weights[s];
            }
            for (int i = 0; i < d; i++) {
                double value = 0;
                for (int s = 0; s < visible; s++) {
                    value += weights[s] / sum * values.get(s)[k0 + i];
                }
                output[at + i] = (float) value;
            }
        }
    }
}
