package dev.kvasir.cache.attention;

import dev.kvasir.cache.CacheShape;
import dev.kvasir.cache.kernel.Kernels;
import dev.kvasir.cache.store.Panels;
import dev.kvasir.cache.store.Scratch;
import java.util.Arrays;

/** The exact keys and values of a step's own tokens, read head by head and tile by tile like stored ones. */
final class OwnTokens {
    /** Steps of fewer tokens score their keys row by row instead of by panels. */
    private static final int FEW_TOKENS = 16;
    /** Floats of panels kept between steps: a long prompt's are not. */
    private static final int KEPT_PANELS = 1 << 18;

    private final Kernels kernels;
    private final int headDim;
    private final int width;
    private float[] keys = {};
    private float[] values = {};
    private float[] panels = {};
    private int count;

    OwnTokens(CacheShape shape, Kernels kernels) {
        this.kernels = kernels;
        this.headDim = shape.headDim();
        this.width = shape.kvHeads() * headDim;
    }

    /** Turns to the tokens of a step; rows are {@code [count][kvHeads][headDim]}. */
    void begin(float[] stepKeys, float[] stepValues, int tokens) {
        keys = stepKeys;
        values = stepValues;
        count = tokens;
        if (wantsPanels()) {
            panels = Scratch.grown(panels, width * panelsPerHead() * Kernels.PANEL);
        }
    }

    /** Whether {@link #pack} must be called for every head before keys are scored. */
    boolean wantsPanels() {
        return count >= FEW_TOKENS;
    }

    /** Lays a head's keys out as panels, the last one filled up with zeros. */
    void pack(int kvHead) {
        for (int t = 0; t < count; t += Kernels.PANEL) {
            int tokens = Math.min(Kernels.PANEL, count - t);
            int panel = panelOffset(kvHead, t);
            if (tokens < Kernels.PANEL) {
                Arrays.fill(panels, panel, panel + headDim * Kernels.PANEL, 0f);
            }
            Panels.transpose(keys, t * width + kvHead * headDim, width, tokens, headDim, panels, panel, Kernels.PANEL);
        }
    }

    private int panelsPerHead() {
        return Math.ceilDiv(count, Kernels.PANEL);
    }

    private int panelOffset(int kvHead, int token) {
        return (kvHead * panelsPerHead() + token / Kernels.PANEL) * headDim * Kernels.PANEL;
    }

    /** As {@link dev.kvasir.cache.store.KeyReader#scores}, {@code from} a multiple of 32; scores may be of any use up to {@code to} only. */
    void scores(
            int kvHead, float[] queries, int queryOffset, int rows, int from, int to, float[] out, int at, int stride) {
        if (wantsPanels()) {
            for (int t = from; t < to; t += Kernels.PANEL) {
                int panel = panelOffset(kvHead, t);
                kernels.dots(queries, queryOffset, headDim, rows, panels, panel, headDim, out, at + t - from, stride);
            }
            return;
        }
        for (int r = 0; r < rows; r++) {
            for (int t = from; t < to; t++) {
                int key = t * width + kvHead * headDim;
                int query = queryOffset + r * headDim;
                out[at + r * stride + t - from] = kernels.dot(queries, query, keys, key, headDim);
            }
        }
    }

    /** As {@link dev.kvasir.cache.store.ValueReader#addWeighted}. */
    void addWeighted(
            int kvHead,
            float[] weights,
            int weightOffset,
            int stride,
            int rows,
            int from,
            int to,
            float[] out,
            int at) {
        int first = from * width + kvHead * headDim;
        int tokens = to - from;
        kernels.sums(weights, weightOffset, stride, rows, values, first, width, tokens, headDim, out, at, headDim);
    }

    /** The step is over. */
    void end() {
        keys = new float[0];
        values = new float[0];
        if (panels.length > KEPT_PANELS) {
            panels = new float[0];
        }
    }
}
