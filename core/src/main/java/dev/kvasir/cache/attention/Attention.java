package dev.kvasir.cache.attention;

import dev.kvasir.cache.CacheShape;
import dev.kvasir.cache.Queries;
import dev.kvasir.cache.TokenStates;
import dev.kvasir.cache.kernel.Kernels;
import dev.kvasir.cache.store.Scratch;
import dev.kvasir.tensor.RotaryBlock;
import dev.kvasir.tensor.Workers;
import java.util.Arrays;
import java.util.function.IntConsumer;
import org.jspecify.annotations.Nullable;

/**
 * Causal attention of a step's tokens over what is stored and over each other, for any layer.
 *
 * <p>Rows are (KV head, token, query head) triples; the rows of all query heads of a KV head are worked on together, {@value
 * #BLOCK_ROWS} at a time, against tiles of {@value Scratch#TILE} slots with a running {@link Softmax}: scores, weights,
 * weighted values. Stored slots come first; the sums are then brought back to the model's basis and the step's own exact
 * keys and values follow, unless the layer stores before it attends.
 *
 * <p>A long step is cut into blocks of rows, a short one over a long cache into ranges of slots whose results are merged in
 * order. A part is one head's, or all heads' where they share their tiles. All borders depend on the shapes alone, so
 * results do not depend on the threads.
 */
final class Attention {
    /** Rows of a head that share an unpacked tile. */
    static final int BLOCK_ROWS = 64;
    /** Slots of a part of a short step. */
    static final int RANGE = 2048;
    /** The same where a part is all heads'. */
    private static final int SHARED_RANGE = 512;
    /** Products below which waking other threads costs more than it saves. */
    private static final long SMALL = 1 << 15;

    static final int TILE = Scratch.TILE;
    /** Slots of a tile that all heads read: a tile of all heads' keys then stays in the second-level cache. */
    private static final int SHARED_TILE = RotaryBlock.TOKENS;
    /** Room for what a store may write beyond a tile. */
    static final int STRIDE = TILE + Kernels.PANEL;

    private final CacheShape shape;
    private final Workers workers;
    private final Softmax softmax;
    private final OwnTokens own;
    private final ScoreLimits limits;
    private final float queryScale;
    private final int group;
    private final int headDim;
    private final Stash<StepScratch> scratches = new Stash<>(StepScratch::new);
    private final Observing observing;
    private final StepView view;
    private final StepView chosenTokens;

    // The step at hand: fields rather than captured variables, so that a step allocates nothing.
    private @Nullable LayerStore layer;
    private @Nullable WeightObserver observer;
    private @Nullable SlotSelector selector;
    private float[] queries = {};
    private float[] output = {};
    private float[] partials = {};
    /** Logarithm of the sum of exponentials of each row, for who observes: {@code [count][heads]}. */
    private float[] logSums = {};

    private float[] blockOutput = {};
    private float[] chosenOutput = {};
    private int count;
    private int slots;
    private int window;
    private int sumWidth;
    private boolean storedFirst;
    private boolean outputWanted = true;
    private int headsPerPart;
    private int blocks;
    private int ranges;
    private int range;

    Attention(CacheShape shape, Kernels kernels, Workers workers) {
        this.shape = shape;
        this.workers = workers;
        this.softmax = new Softmax(kernels, STRIDE);
        this.own = new OwnTokens(shape, kernels);
        this.limits = new ScoreLimits(shape);
        this.group = shape.queriesPerKvHead();
        this.headDim = shape.headDim();
        this.queryScale = (float) (1 / Math.sqrt(headDim));
        this.observing = new Observing(shape, kernels, this, limits, scratches);
        this.view = new StepView(shape);
        this.chosenTokens = new StepView(shape);
    }

    /**
     * Attends for the tokens of a step and stores them, in blocks if the layer asks for that.
     *
     * @param stepWindow tokens that each token sees at most
     */
    void run(LayerStore stepLayer, int stepWindow, TokenStates states, Queries stepQueries, float[] out) {
        window = stepWindow;
        int tokens = states.count();
        int width = shape.heads() * headDim;
        for (int done = 0; done < tokens; ) {
            int block = Math.clamp(stepLayer.block(states.firstPosition() + done, tokens - done), 1, tokens - done);
            if (block == tokens) {
                runBlock(stepLayer, states, stepQueries, out);
            } else {
                view.turnTo(states, stepQueries, done, block);
                blockOutput = Scratch.grown(blockOutput, block * width);
                runBlock(stepLayer, view, view, blockOutput);
                System.arraycopy(blockOutput, 0, out, done * width, block * width);
            }
            done += block;
        }
        stepLayer.done();
    }

    /** Whether the coming steps' outputs are wanted: if not, tokens attend only where somebody looks on. */
    void wantOutput(boolean wanted) {
        outputWanted = wanted;
    }

    private void runBlock(LayerStore stepLayer, TokenStates states, Queries stepQueries, float[] out) {
        layer = stepLayer;
        queries = stepQueries.queries();
        output = out;
        count = states.count();
        storedFirst = stepLayer.storesFirst(count);
        limits.begin(stepLayer, window, states.firstPosition());
        stepLayer.open(states, stepQueries);
        slots = stepLayer.size();
        each(stepLayer.openParts(), openPart);
        observer = stepLayer.observer().orElse(null);
        selector = stepLayer.selector(count).orElse(null);
        if (storedFirst) {
            store(stepLayer, states, stepQueries);
        }
        slots = stepLayer.size();
        WeightObserver stepObserver = observer;
        if (stepObserver != null && stepLayer.probes(count)) {
            attendProbed(stepLayer, stepObserver, states, stepQueries, out);
        } else if (outputWanted || stepObserver != null || selector != null) {
            attend(stepLayer, states, stepQueries);
        }
        if (observer != null) {
            observing.run(stepLayer, observer, own, queries, logSums, slots, count, storedFirst);
        }
        if (!storedFirst) {
            store(stepLayer, states, stepQueries);
        }
        own.end();
        limits.end();
        layer = null;
        observer = null;
        selector = null;
    }

    /** Shows the probes to the observer, then attends for the tokens that the layer chooses, as a step of their own. */
    private void attendProbed(
            LayerStore stepLayer, WeightObserver prober, TokenStates states, Queries stepQueries, float[] out) {
        int all = count;
        int width = shape.heads() * headDim;
        own.begin(states.keys(), states.values(), all);
        if (own.wantsPanels()) {
            each(shape.kvHeads(), packPart);
        }
        observing.probe(stepLayer, prober, own, queries, slots, all);
        observer = null;
        int[] chosen = stepLayer.attending();
        if (chosen.length == all) {
            attend(stepLayer, states, stepQueries);
            return;
        }
        chosenTokens.turnTo(states, stepQueries, chosen);
        limits.choose(chosen);
        count = chosen.length;
        queries = chosenTokens.queries();
        output = Scratch.grown(chosenOutput, count * width);
        chosenOutput = output;
        attend(stepLayer, chosenTokens, chosenTokens);
        Arrays.fill(out, 0, all * width, 0f);
        for (int t = 0; t < chosen.length; t++) {
            System.arraycopy(chosenOutput, t * width, out, chosen[t] * width, width);
        }
        count = all;
    }

    private void attend(LayerStore stepLayer, TokenStates states, Queries stepQueries) {
        int kvHeads = shape.kvHeads();
        headsPerPart = stepLayer.readsHeadsTogether() ? kvHeads : 1;
        sumWidth = stepLayer.values(0).sumWidth(headDim);
        blocks = Math.ceilDiv(count, tokensPerBlock());
        if (selector != null) {
            headsPerPart = 1;
            selector.begin(states, stepQueries);
            each(kvHeads, selectPart);
            slots = 0;
            for (int h = 0; h < kvHeads; h++) {
                slots = Math.max(slots, selector.count(h));
            }
        }
        range = headsPerPart > 1 ? SHARED_RANGE : RANGE;
        ranges = blocks == 1 ? Math.max(1, Math.ceilDiv(slots, range)) : 1;
        if (!storedFirst) {
            own.begin(states.keys(), states.values(), count);
            if (own.wantsPanels()) {
                each(kvHeads, packPart);
            }
        }
        if (observer != null) {
            logSums = Scratch.grown(logSums, count * shape.heads());
        }
        int parts = kvHeads / headsPerPart;
        if (ranges == 1) {
            each(parts * blocks, wholePart);
        } else {
            partials = Scratch.grown(partials, kvHeads * ranges * Softmax.savedSize(count * group, sumWidth));
            each(parts * ranges, rangePart);
            each(parts, mergePart);
        }
    }

    private void store(LayerStore stepLayer, TokenStates states, Queries stepQueries) {
        stepLayer.begin(states, stepQueries);
        each(stepLayer.appendParts(), storePart);
        each(stepLayer.completeParts(), completePart);
        stepLayer.end();
    }

    private final IntConsumer packPart = this::pack;
    private final IntConsumer wholePart = this::whole;
    private final IntConsumer rangePart = this::range;
    private final IntConsumer mergePart = this::merge;
    private final IntConsumer openPart = this::openPart;
    private final IntConsumer storePart = this::storePart;
    private final IntConsumer completePart = this::completePart;
    private final IntConsumer selectPart = this::select;

    void each(int parts, IntConsumer part) {
        long work = (long) count * group * (slots + count) * headDim * shape.kvHeads();
        if (work < SMALL || parts <= 1) {
            for (int i = 0; i < parts; i++) {
                part.accept(i);
            }
        } else {
            workers.run(parts, part);
        }
    }

    int tokensPerBlock() {
        return Math.max(1, BLOCK_ROWS / group);
    }

    private LayerStore layer() {
        LayerStore now = layer;
        if (now == null) {
            throw new IllegalStateException("no step is under way");
        }
        return now;
    }

    private void pack(int kvHead) {
        own.pack(kvHead);
    }

    /** All of one block of rows of a part's heads. */
    private void whole(int part) {
        int kvHead = part / blocks * headsPerPart;
        int from = part % blocks * tokensPerBlock();
        int to = Math.min(count, from + tokensPerBlock());
        StepScratch s = scratches.take();
        begin(s, kvHead, from, to);
        attendStored(s, kvHead, from, to, 0, storedFirst ? slots - count + to : slots);
        finish(s, kvHead, from, to);
        scratches.giveBack(s);
    }

    /** The stored slots of one range, for a short step. */
    private void range(int part) {
        int kvHead = part / ranges * headsPerPart;
        int from = part % ranges * range;
        int rows = count * group;
        StepScratch s = scratches.take();
        begin(s, kvHead, 0, count);
        attendStored(s, kvHead, 0, count, from, Math.min(slots, from + range));
        softmax.save(s, headsPerPart * rows, partials, part * headsPerPart * Softmax.savedSize(rows, sumWidth));
        scratches.giveBack(s);
    }

    /** Merges the ranges of a part's heads in order, then attends to the step's own tokens. */
    private void merge(int part) {
        int rows = headsPerPart * count * group;
        StepScratch s = scratches.take();
        begin(s, part * headsPerPart, 0, count);
        for (int i = 0; i < ranges; i++) {
            softmax.merge(s, rows, partials, (part * ranges + i) * Softmax.savedSize(rows, sumWidth));
        }
        finish(s, part * headsPerPart, 0, count);
        scratches.giveBack(s);
    }

    /** Takes in the queries of a block of rows, scaled and prepared, and resets the running softmax. */
    private void begin(StepScratch s, int kvHead, int from, int to) {
        int rows = (to - from) * group;
        LayerStore stepLayer = layer();
        int queryWidth = stepLayer.keys(kvHead).queryWidth(headDim);
        s.fit(headsPerPart * rows, headDim, queryWidth, sumWidth, STRIDE);
        s.store.letGo();
        s.store.rows(from, to, group);
        for (int h = 0; h < headsPerPart; h++) {
            takeQueries(queries, s, kvHead + h, from, to, h * rows);
            stepLayer
                    .keys(kvHead + h)
                    .prepare(s.queries, h * rows * headDim, rows, headDim, s.prepared, h * rows * queryWidth, s.store);
        }
        softmax.reset(s, headsPerPart * rows);
    }

    /** The scaled queries of one head's tokens {@code from} to {@code to - 1}, as rows from {@code row} on. */
    void takeQueries(float[] queries, StepScratch s, int kvHead, int from, int to, int row) {
        int run = group * headDim;
        for (int t = from; t < to; t++) {
            int in = (t * shape.kvHeads() + kvHead) * run;
            int out = row * headDim + (t - from) * run;
            for (int i = 0; i < run; i++) {
                s.queries[out + i] = queries[in + i] * queryScale;
            }
        }
    }

    private void attendStored(StepScratch s, int kvHead, int from, int to, int slotFrom, int slotTo) {
        if (selector != null) {
            attendSelected(s, selector, kvHead, from, to, slotFrom, slotTo);
            return;
        }
        LayerStore stepLayer = layer();
        int rows = (to - from) * group;
        int queryWidth = stepLayer.keys(kvHead).queryWidth(headDim);
        int tile = headsPerPart > 1 ? SHARED_TILE : TILE;
        slotTo = Math.min(slotTo, stepLayer.keys(kvHead).size());
        for (int slot = Math.max(slotFrom, limits.firstSlot(from, tile)); slot < slotTo; slot += tile) {
            int end = Math.min(slotTo, slot + tile);
            for (int h = 0; h < headsPerPart; h++) {
                int query = h * rows * queryWidth;
                int at = h * rows * STRIDE;
                stepLayer.keys(kvHead + h).scores(s.prepared, query, rows, slot, end, s.scores, at, STRIDE, s.store);
                for (int r = 0; r < rows; r++) {
                    limits.stored(kvHead + h, from + r / group, s.scores, at + r * STRIDE, slot, end);
                    softmax.weigh(s, h * rows + r, seenStored(from + r / group, slot, end), end - slot);
                }
            }
            for (int h = 0; h < headsPerPart; h++) {
                int at = h * rows * STRIDE;
                int out = h * rows * sumWidth;
                stepLayer.values(kvHead + h).addWeighted(s.scores, at, STRIDE, rows, slot, end, s.sums, out, s.store);
            }
        }
    }

    private void select(int kvHead) {
        SlotSelector now = selector;
        if (now == null) {
            return;
        }
        StepScratch s = scratches.take();
        s.fit(count * group, headDim, headDim, sumWidth, STRIDE);
        takeQueries(queries, s, kvHead, 0, count, 0);
        now.select(kvHead, s.queries, count * group, s.store);
        scratches.giveBack(s);
    }

    /** The {@code from}th to {@code to - 1}th of the slots selected for a head. */
    private void attendSelected(StepScratch s, SlotSelector now, int kvHead, int token, int toToken, int from, int to) {
        int rows = (toToken - token) * group;
        int[] chosen = now.slots(kvHead);
        int end = Math.min(to, now.count(kvHead));
        for (int first = from; first < end; first += TILE) {
            int last = Math.min(end, first + TILE);
            layer().keys(kvHead).scoresOf(s.prepared, 0, rows, chosen, first, last, s.scores, 0, STRIDE, s.store);
            for (int r = 0; r < rows; r++) {
                limits.selected(kvHead, token + r / group, s.scores, r * STRIDE, chosen, first, last);
                softmax.weigh(s, r, last - first, last - first);
            }
            layer().values(kvHead).addWeightedOf(s.scores, 0, STRIDE, rows, chosen, first, last, s.sums, 0, s.store);
        }
    }

    /** Slots of a tile that a token of the step sees: all, unless the step itself is stored already. */
    private int seenStored(int token, int slot, int end) {
        return storedFirst ? Math.clamp(slots - count + token + 1 - slot, 0, end - slot) : end - slot;
    }

    /** Brings the sums over stored slots to the model's basis, adds the step's own tokens, and writes the outputs. */
    private void finish(StepScratch s, int kvHead, int from, int to) {
        int rows = (to - from) * group;
        if (sumWidth != headDim) {
            project(s, kvHead, rows);
        }
        for (int h = 0; h < headsPerPart; h++) {
            layer().values(kvHead + h).finish(s.sums, h * rows * headDim, rows, s.store);
            if (!storedFirst) {
                attendOwn(s, kvHead + h, from, to, h * rows);
            }
            write(s, kvHead + h, from, to, h * rows);
        }
    }

    /** Brings the sums of a part's heads from the space they were made in to the heads' width. */
    private void project(StepScratch s, int kvHead, int rows) {
        s.projected = Scratch.grown(s.projected, headsPerPart * rows * headDim);
        for (int h = 0; h < headsPerPart; h++) {
            int from = h * rows * sumWidth;
            layer().values(kvHead + h).project(s.sums, from, rows, headDim, s.projected, h * rows * headDim, s.store);
        }
        System.arraycopy(s.projected, 0, s.sums, 0, headsPerPart * rows * headDim);
        s.sumWidth = headDim;
    }

    private void attendOwn(StepScratch s, int kvHead, int from, int to, int row) {
        int rows = (to - from) * group;
        for (int tile = limits.firstOwn(from, TILE); tile < to; tile += TILE) {
            int end = Math.min(to, tile + TILE);
            own.scores(kvHead, s.queries, row * headDim, rows, tile, end, s.scores, row * STRIDE, STRIDE);
            for (int r = 0; r < rows; r++) {
                limits.own(from + r / group, s.scores, (row + r) * STRIDE, tile, end);
                // Row r belongs to token from + r / group, which sees itself and all before.
                softmax.weigh(s, row + r, Math.clamp(from + r / group + 1 - tile, 0, end - tile), end - tile);
            }
            own.addWeighted(kvHead, s.scores, row * STRIDE, STRIDE, rows, tile, end, s.sums, row * headDim);
        }
    }

    private void write(StepScratch s, int kvHead, int from, int to, int row) {
        int width = shape.heads() * headDim;
        for (int r = 0; r < (to - from) * group; r++) {
            float inverse = 1 / s.totals[row + r];
            int token = from + r / group;
            int head = kvHead * group + r % group;
            int out = token * width + head * headDim;
            for (int c = 0; c < headDim; c++) {
                output[out + c] = s.sums[(row + r) * headDim + c] * inverse;
            }
            if (observer != null) {
                logSums[token * shape.heads() + head] = s.maxima[row + r] + (float) Math.log(s.totals[row + r]);
            }
        }
    }

    private void openPart(int part) {
        StepScratch s = scratches.take();
        layer().open(part, s.store);
        scratches.giveBack(s);
    }

    private void storePart(int part) {
        StepScratch s = scratches.take();
        layer().append(part, s.store);
        scratches.giveBack(s);
    }

    private void completePart(int part) {
        StepScratch s = scratches.take();
        layer().complete(part, s.store);
        scratches.giveBack(s);
    }
}
