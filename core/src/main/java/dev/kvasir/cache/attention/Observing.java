package dev.kvasir.cache.attention;

import dev.kvasir.cache.CacheShape;
import dev.kvasir.cache.kernel.Kernels;
import java.util.function.IntConsumer;
import org.jspecify.annotations.Nullable;

/**
 * The second, light pass of a step whose weights somebody wants to see: scores are made again, tile by tile, and turned
 * into weights by the sums of the first pass.
 */
final class Observing {
    private final CacheShape shape;
    private final Kernels kernels;
    private final Attention attention;
    private final ScoreLimits limits;
    private final Stash<StepScratch> scratches;
    private final int group;
    private final int headDim;
    private final IntConsumer part = this::part;

    private @Nullable LayerStore layer;
    private @Nullable WeightObserver observer;
    private @Nullable OwnTokens own;
    private float[] queries = {};
    private float[] logSums = {};
    private int slots;
    private int count;
    private boolean storedFirst;
    /** Whether the sums of the rows are yet to be made. */
    private boolean probing;

    Observing(
            CacheShape shape, Kernels kernels, Attention attention, ScoreLimits limits, Stash<StepScratch> scratches) {
        this.shape = shape;
        this.kernels = kernels;
        this.attention = attention;
        this.limits = limits;
        this.scratches = scratches;
        this.group = shape.queriesPerKvHead();
        this.headDim = shape.headDim();
    }

    /** Shows the weights of a step that has attended; {@code logSums [count][heads]} are of its rows. */
    void run(
            LayerStore stepLayer,
            WeightObserver stepObserver,
            OwnTokens stepOwn,
            float[] stepQueries,
            float[] stepLogSums,
            int stepSlots,
            int tokens,
            boolean first) {
        layer = stepLayer;
        observer = stepObserver;
        own = stepOwn;
        queries = stepQueries;
        logSums = stepLogSums;
        slots = stepSlots;
        count = tokens;
        storedFirst = first;
        stepObserver.begin(first ? stepSlots - tokens : stepSlots, tokens);
        attention.each(shape.kvHeads(), part);
        layer = null;
        observer = null;
        own = null;
    }

    /** Shows what the rows that are wanted would give to all stored slots and all tokens of the step, none of which has attended. */
    void probe(
            LayerStore stepLayer,
            WeightObserver stepObserver,
            OwnTokens stepOwn,
            float[] stepQueries,
            int stepSlots,
            int tokens) {
        probing = true;
        run(stepLayer, stepObserver, stepOwn, stepQueries, new float[tokens * shape.heads()], stepSlots, tokens, false);
        probing = false;
    }

    /** Shows the weights of one head. */
    private void part(int kvHead) {
        LayerStore stepLayer = layer;
        WeightObserver now = observer;
        OwnTokens tokens = own;
        if (stepLayer == null || now == null || tokens == null) {
            return;
        }
        StepScratch s = scratches.take();
        s.store.letGo();
        int block = attention.tokensPerBlock();
        for (int from = 0; from < count; from += block) {
            block(s, stepLayer, now, tokens, kvHead, from, Math.min(count, from + block));
        }
        scratches.giveBack(s);
    }

    private void block(
            StepScratch s, LayerStore stepLayer, WeightObserver now, OwnTokens tokens, int kvHead, int from, int to) {
        int queryWidth = stepLayer.keys(kvHead).queryWidth(headDim);
        s.fit((to - from) * group, headDim, queryWidth, headDim, Attention.STRIDE);
        s.store.rows(from, to, group);
        int wanted = 0;
        for (int t = from; t < to; t++) {
            if (now.wants(t)) {
                attention.takeQueries(queries, s, kvHead, t, t + 1, wanted * group);
                s.store.row(wanted, t);
                s.maxima[wanted++] = t;
            }
        }
        if (wanted == 0) {
            return;
        }
        int rows = wanted * group;
        stepLayer.keys(kvHead).prepare(s.queries, 0, rows, headDim, s.prepared, 0, s.store);
        if (probing) {
            sum(s, stepLayer, tokens, kvHead, wanted, to);
        }
        int last = Math.min(now.toSlot(), stepLayer.keys(kvHead).size());
        for (int slot = now.fromSlot(); slot < last; slot += Attention.TILE) {
            int end = Math.min(last, slot + Attention.TILE);
            stepLayer.keys(kvHead).scores(s.prepared, 0, rows, slot, end, s.scores, 0, Attention.STRIDE, s.store);
            limitStored(s, kvHead, rows, slot, end);
            for (int i = 0; i < wanted; i++) {
                show(s, now, kvHead, i, seenStored((int) s.maxima[i], slot, end), slot);
            }
        }
        if (storedFirst) {
            return;
        }
        for (int tile = 0; tile < to; tile += Attention.TILE) {
            int end = Math.min(to, tile + Attention.TILE);
            tokens.scores(kvHead, s.queries, 0, rows, tile, end, s.scores, 0, Attention.STRIDE);
            limitOwn(s, rows, tile, end);
            for (int i = 0; i < wanted; i++) {
                int seen = Math.clamp((int) s.maxima[i] + 1 - tile, 0, end - tile);
                show(s, now, kvHead, i, seen, slots + tile);
            }
        }
    }

    /** Makes the log-sums of the wanted rows. */
    private void sum(StepScratch s, LayerStore stepLayer, OwnTokens tokens, int kvHead, int wanted, int to) {
        int rows = wanted * group;
        double[] sums = new double[rows];
        float[] most = new float[rows];
        java.util.Arrays.fill(most, Float.NEGATIVE_INFINITY);
        int last = stepLayer.keys(kvHead).size();
        for (int slot = 0; slot < last; slot += Attention.TILE) {
            int end = Math.min(last, slot + Attention.TILE);
            stepLayer.keys(kvHead).scores(s.prepared, 0, rows, slot, end, s.scores, 0, Attention.STRIDE, s.store);
            limitStored(s, kvHead, rows, slot, end);
            for (int r = 0; r < rows; r++) {
                add(s, r, end - slot, most, sums);
            }
        }
        for (int tile = 0; tile < to; tile += Attention.TILE) {
            int end = Math.min(to, tile + Attention.TILE);
            tokens.scores(kvHead, s.queries, 0, rows, tile, end, s.scores, 0, Attention.STRIDE);
            limitOwn(s, rows, tile, end);
            for (int r = 0; r < rows; r++) {
                add(s, r, Math.clamp((int) s.maxima[r / group] + 1 - tile, 0, end - tile), most, sums);
            }
        }
        for (int r = 0; r < rows; r++) {
            int head = ((int) s.maxima[r / group]) * shape.heads() + kvHead * group + r % group;
            logSums[head] = (float) (most[r] + Math.log(sums[r]));
        }
    }

    /** Adds the exponentials of a row's scores of a tile to its sum. */
    private void add(StepScratch s, int row, int seen, float[] most, double[] sums) {
        if (seen <= 0) {
            return;
        }
        int at = row * Attention.STRIDE;
        float max = kernels.max(s.scores, at, seen);
        if (max > most[row]) {
            sums[row] *= Math.exp(most[row] - max);
            most[row] = max;
        }
        sums[row] += kernels.expSum(s.scores, at, seen, most[row]);
    }

    /** Limits scores of rows whose tokens stand in {@code maxima}. */
    private void limitStored(StepScratch s, int kvHead, int rows, int slot, int end) {
        for (int r = 0; r < rows; r++) {
            limits.stored(kvHead, (int) s.maxima[r / group], s.scores, r * Attention.STRIDE, slot, end);
        }
    }

    private void limitOwn(StepScratch s, int rows, int tile, int end) {
        for (int r = 0; r < rows; r++) {
            limits.own((int) s.maxima[r / group], s.scores, r * Attention.STRIDE, tile, end);
        }
    }

    private int seenStored(int token, int slot, int end) {
        return storedFirst ? Math.clamp(slots - count + token + 1 - slot, 0, end - slot) : end - slot;
    }

    /** Shows the scores of the {@code i}th wanted token, or its weights summed over its query heads. */
    private void show(StepScratch s, WeightObserver now, int kvHead, int i, int seen, int slot) {
        if (seen <= 0) {
            return;
        }
        int token = (int) s.maxima[i];
        int first = i * group * Attention.STRIDE;
        int sums = token * shape.heads() + kvHead * group;
        if (now.wantsScores()) {
            for (int g = 0; g < group; g++) {
                now.observeScores(
                        kvHead, g, token, s.scores, first + g * Attention.STRIDE, slot, seen, logSums[sums + g]);
            }
            return;
        }
        for (int g = 0; g < group; g++) {
            int at = first + g * Attention.STRIDE;
            kernels.expSum(s.scores, at, seen, logSums[sums + g]);
            for (int j = 0; g > 0 && j < seen; j++) {
                s.scores[first + j] += s.scores[at + j];
            }
        }
        now.observe(kvHead, token, s.scores, first, slot, seen);
    }
}
