package dev.kvasir.cache.attention;

import dev.kvasir.cache.CacheShape;
import dev.kvasir.cache.Queries;
import dev.kvasir.cache.TokenStates;
import dev.kvasir.cache.kernel.Kernels;
import dev.kvasir.cache.store.Panels;
import dev.kvasir.cache.store.Scratch;
import dev.kvasir.cache.transform.Transform;
import dev.kvasir.tensor.Workers;
import java.util.Arrays;
import java.util.function.IntConsumer;

/**
 * Causal attention of a step's tokens over what is stored and over each other, for any stores.
 *
 * <p>Rows are (token, query head) pairs; the rows of all query heads of a KV head are worked on together, {@value
 * #BLOCK_ROWS} at a time, against tiles of {@value Scratch#TILE} slots with a running softmax: scores, new maximum,
 * weights, weighted values, earlier sums scaled down. Stored slots come first, in the basis of the stores; the sums are
 * then brought back to the model's basis and the step's own exact keys and values follow.
 *
 * <p>A long step is cut into blocks of rows, a short one over a long cache into ranges of {@value #RANGE} slots whose
 * results are merged in order. All borders depend on the shapes alone, so results do not depend on the threads.
 */
final class Attention {
    /** Rows that share an unpacked tile. */
    static final int BLOCK_ROWS = 64;
    /** Slots of a part of a short step. */
    static final int RANGE = 2048;
    /** Steps of fewer tokens score their own keys row by row instead of by panels. */
    private static final int FEW_TOKENS = 16;
    /** Products below which waking other threads costs more than it saves. */
    private static final long SMALL = 1 << 15;

    /** Floats of own keys kept between steps: a long prompt's are not. */
    private static final int KEPT_PANELS = 1 << 18;

    private static final int TILE = Scratch.TILE;
    /** Room for what a store may write beyond a tile. */
    private static final int STRIDE = TILE + Kernels.PANEL;

    private final CacheShape shape;
    private final Kernels kernels;
    private final Workers workers;
    private final Transform keyTransform;
    private final Transform valueTransform;
    private final float queryScale;
    private final int group;
    private final int headDim;
    private final Stash<StepScratch> scratches = new Stash<>(StepScratch::new);
    private final Stash<Scratch> storeScratches = new Stash<>(Scratch::new);

    // The step at hand: fields rather than captured variables, so that a step allocates nothing.
    private Head[] heads = {};
    private float[] queries = {};
    private float[] keys = {};
    private float[] values = {};
    private float[] output = {};
    private float[] panels = {};
    private float[] partials = {};
    private int count;
    private int stored;
    private int blocks;
    private int ranges;

    Attention(CacheShape shape, Kernels kernels, Workers workers, Transform keyTransform, Transform valueTransform) {
        this.shape = shape;
        this.kernels = kernels;
        this.workers = workers;
        this.keyTransform = keyTransform;
        this.valueTransform = valueTransform;
        this.group = shape.queriesPerKvHead();
        this.headDim = shape.headDim();
        this.queryScale = (float) (1 / Math.sqrt(headDim));
    }

    /** Attends for the tokens of a step, then appends them to the stores. */
    void run(Head[] layerHeads, TokenStates states, Queries stepQueries, float[] out) {
        heads = layerHeads;
        queries = stepQueries.queries();
        keys = states.keys();
        values = states.values();
        output = out;
        count = states.count();
        stored = layerHeads[0].keys().size();
        blocks = Math.ceilDiv(count, tokensPerBlock());
        ranges = blocks == 1 ? Math.max(1, Math.ceilDiv(stored, RANGE)) : 1;
        int kvHeads = shape.kvHeads();
        if (count >= FEW_TOKENS) {
            panels = Scratch.grown(panels, kvHeads * panelsPerHead() * headDim * Kernels.PANEL);
            each(kvHeads, packOwnKeys);
        }
        if (ranges == 1) {
            each(kvHeads * blocks, wholePart);
        } else {
            partials = Scratch.grown(partials, kvHeads * ranges * partialSize());
            each(kvHeads * ranges, rangePart);
            each(kvHeads, mergePart);
        }
        each(2 * kvHeads, storePart);
        if (panels.length > KEPT_PANELS) {
            panels = new float[0];
        }
    }

    private final IntConsumer packOwnKeys = this::packOwnKeys;
    private final IntConsumer wholePart = this::whole;
    private final IntConsumer rangePart = this::range;
    private final IntConsumer mergePart = this::merge;
    private final IntConsumer storePart = this::store;

    private void each(int parts, IntConsumer part) {
        long work = (long) count * group * (stored + count) * headDim * shape.kvHeads();
        if (work < SMALL || parts == 1) {
            for (int i = 0; i < parts; i++) {
                part.accept(i);
            }
        } else {
            workers.run(parts, part);
        }
    }

    private int tokensPerBlock() {
        return Math.max(1, BLOCK_ROWS / group);
    }

    private int panelsPerHead() {
        return Math.ceilDiv(count, Kernels.PANEL);
    }

    /** Floats of a partial result: sums, maxima and totals of a short step's rows. */
    private int partialSize() {
        return count * group * (headDim + 2);
    }

    /** Lays a head's own keys out as panels, the last one filled up with zeros. */
    private void packOwnKeys(int kvHead) {
        int width = shape.kvHeads() * headDim;
        for (int t = 0; t < count; t += Kernels.PANEL) {
            int tokens = Math.min(Kernels.PANEL, count - t);
            int panel = panelOffset(kvHead, t);
            if (tokens < Kernels.PANEL) {
                Arrays.fill(panels, panel, panel + headDim * Kernels.PANEL, 0f);
            }
            Panels.transpose(keys, t * width + kvHead * headDim, width, tokens, headDim, panels, panel, Kernels.PANEL);
        }
    }

    private int panelOffset(int kvHead, int token) {
        return (kvHead * panelsPerHead() + token / Kernels.PANEL) * headDim * Kernels.PANEL;
    }

    /** All of one block of rows of one head. */
    private void whole(int part) {
        int kvHead = part / blocks;
        int from = part % blocks * tokensPerBlock();
        int to = Math.min(count, from + tokensPerBlock());
        StepScratch s = scratches.take();
        begin(s, kvHead, from, to);
        attendStored(s, heads[kvHead], (to - from) * group, 0, stored);
        valueTransform.invert(s.sums, 0, (to - from) * group);
        attendOwn(s, kvHead, from, to);
        finish(s, kvHead, from, to);
        scratches.giveBack(s);
    }

    /** The stored slots of one range of one head, for a short step. */
    private void range(int part) {
        int kvHead = part / ranges;
        int from = part % ranges * RANGE;
        int rows = count * group;
        StepScratch s = scratches.take();
        begin(s, kvHead, 0, count);
        attendStored(s, heads[kvHead], rows, from, Math.min(stored, from + RANGE));
        int partial = part * partialSize();
        System.arraycopy(s.sums, 0, partials, partial, rows * headDim);
        System.arraycopy(s.maxima, 0, partials, partial + rows * headDim, rows);
        System.arraycopy(s.totals, 0, partials, partial + rows * (headDim + 1), rows);
        scratches.giveBack(s);
    }

    /** Merges the ranges of one head in order, then attends to the step's own tokens. */
    private void merge(int kvHead) {
        int rows = count * group;
        StepScratch s = scratches.take();
        begin(s, kvHead, 0, count);
        for (int range = 0; range < ranges; range++) {
            int partial = (kvHead * ranges + range) * partialSize();
            for (int r = 0; r < rows; r++) {
                float max = partials[partial + rows * headDim + r];
                raiseMaximum(s, r, Math.max(max, s.maxima[r]));
                float weight = (float) Math.exp(max - s.maxima[r]);
                s.totals[r] += weight * partials[partial + rows * (headDim + 1) + r];
                for (int c = 0; c < headDim; c++) {
                    s.sums[r * headDim + c] += weight * partials[partial + r * headDim + c];
                }
            }
        }
        valueTransform.invert(s.sums, 0, rows);
        attendOwn(s, kvHead, 0, count);
        finish(s, kvHead, 0, count);
        scratches.giveBack(s);
    }

    /** Takes in the queries of a block of rows, scaled, and resets the running softmax. */
    private void begin(StepScratch s, int kvHead, int from, int to) {
        int rows = (to - from) * group;
        s.fit(rows, headDim, STRIDE);
        int width = shape.heads() * headDim;
        int run = group * headDim;
        for (int t = from; t < to; t++) {
            int in = t * width + kvHead * run;
            int out = (t - from) * run;
            for (int i = 0; i < run; i++) {
                s.queries[out + i] = queries[in + i] * queryScale;
            }
        }
        if (!keyTransform.isNone()) {
            System.arraycopy(s.queries, 0, s.storedQueries, 0, rows * headDim);
            keyTransform.apply(s.storedQueries, 0, rows);
        }
        Arrays.fill(s.sums, 0, rows * headDim, 0f);
        Arrays.fill(s.maxima, 0, rows, Float.NEGATIVE_INFINITY);
        Arrays.fill(s.totals, 0, rows, 0f);
    }

    private void attendStored(StepScratch s, Head head, int rows, int from, int to) {
        float[] q = keyTransform.isNone() ? s.queries : s.storedQueries;
        for (int slot = from; slot < to; slot += TILE) {
            int end = Math.min(to, slot + TILE);
            head.keys().scores(q, 0, rows, slot, end, s.scores, 0, STRIDE, s.store);
            for (int r = 0; r < rows; r++) {
                weigh(s, r, end - slot);
            }
            head.values().addWeighted(s.scores, 0, STRIDE, rows, slot, end, s.sums, 0, s.store);
        }
    }

    /** Turns the first {@code count} scores of a row into weights under the running maximum. */
    private void weigh(StepScratch s, int row, int slots) {
        int at = row * STRIDE;
        float max = kernels.max(s.scores, at, slots);
        if (max > s.maxima[row]) {
            raiseMaximum(s, row, max);
        }
        s.totals[row] += kernels.expSum(s.scores, at, slots, s.maxima[row]);
    }

    /** Sets the running maximum, which must not fall, and brings what was summed under the old one down to it. */
    private void raiseMaximum(StepScratch s, int row, float max) {
        float old = s.maxima[row];
        s.maxima[row] = max;
        if (old != Float.NEGATIVE_INFINITY && old != max) {
            float shrink = (float) Math.exp(old - max);
            kernels.scale(s.sums, row * headDim, headDim, shrink);
            s.totals[row] *= shrink;
        }
    }

    private void attendOwn(StepScratch s, int kvHead, int from, int to) {
        int width = shape.kvHeads() * headDim;
        int rows = (to - from) * group;
        for (int tile = 0; tile < to; tile += TILE) {
            int end = Math.min(to, tile + TILE);
            scoreOwn(s, kvHead, rows, from, tile, end);
            for (int r = 0; r < rows; r++) {
                // Row r belongs to token from + r / group, which sees itself and all before.
                int seen = Math.clamp(from + r / group + 1 - tile, 0, end - tile);
                if (seen > 0) {
                    weigh(s, r, seen);
                }
                Arrays.fill(s.scores, r * STRIDE + seen, r * STRIDE + end - tile, 0f);
            }
            kernels.sums(
                    s.scores,
                    0,
                    STRIDE,
                    rows,
                    values,
                    tile * width + kvHead * headDim,
                    width,
                    end - tile,
                    headDim,
                    s.sums,
                    0,
                    headDim);
        }
    }

    private void scoreOwn(StepScratch s, int kvHead, int rows, int from, int tile, int end) {
        if (count >= FEW_TOKENS) {
            for (int t = tile; t < end; t += Kernels.PANEL) {
                int panel = panelOffset(kvHead, t);
                kernels.dots(s.queries, 0, headDim, rows, panels, panel, headDim, s.scores, t - tile, STRIDE);
            }
            return;
        }
        int width = shape.kvHeads() * headDim;
        for (int r = 0; r < rows; r++) {
            for (int t = tile; t <= from + r / group; t++) {
                int key = t * width + kvHead * headDim;
                s.scores[r * STRIDE + t - tile] = kernels.dot(s.queries, r * headDim, keys, key, headDim);
            }
        }
    }

    private void finish(StepScratch s, int kvHead, int from, int to) {
        int width = shape.heads() * headDim;
        for (int r = 0; r < (to - from) * group; r++) {
            float inverse = 1 / s.totals[r];
            int out = (from + r / group) * width + (kvHead * group + r % group) * headDim;
            for (int c = 0; c < headDim; c++) {
                output[out + c] = s.sums[r * headDim + c] * inverse;
            }
        }
    }

    /** Appends the step's keys (even parts) or values (odd parts) of one head to their store. */
    private void store(int part) {
        Head head = heads[part / 2];
        boolean isKey = part % 2 == 0;
        Transform transform = isKey ? keyTransform : valueTransform;
        float[] rows = isKey ? keys : values;
        int width = shape.kvHeads() * headDim;
        int offset = part / 2 * headDim;
        Scratch s = storeScratches.take();
        if (transform.isNone()) {
            append(head, isKey, rows, offset, width, count, s);
        } else {
            float[] turned = s.lanes(count * headDim);
            for (int t = 0; t < count; t++) {
                System.arraycopy(rows, offset + t * width, turned, t * headDim, headDim);
            }
            transform.apply(turned, 0, count);
            append(head, isKey, turned, 0, headDim, count, s);
        }
        storeScratches.giveBack(s);
    }

    private static void append(Head head, boolean isKey, float[] rows, int offset, int stride, int tokens, Scratch s) {
        if (isKey) {
            head.keys().append(rows, offset, stride, tokens, s);
        } else {
            head.values().append(rows, offset, stride, tokens, s);
        }
    }
}
