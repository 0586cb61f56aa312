package dev.kvasir.cache.method.kvquant;

import dev.kvasir.cache.Footprint;
import dev.kvasir.cache.PagePool;
import dev.kvasir.cache.kernel.Kernels;
import dev.kvasir.cache.kernel.PackedLayout;
import dev.kvasir.cache.kernel.PackedLayout.Axis;
import dev.kvasir.cache.store.KeyReader;
import dev.kvasir.cache.store.Outliers;
import dev.kvasir.cache.store.PackedKeys;
import dev.kvasir.cache.store.Panels;
import dev.kvasir.cache.store.Scratch;
import dev.kvasir.tensor.RotaryBlock;
import dev.kvasir.tensor.RotaryTable;
import java.io.DataInput;
import java.io.DataOutput;
import java.io.IOException;

/** The keys of a layer: codes of all heads together, outliers beside them, turned on read where they are kept before RoPE. */
final class KeySide {
    static final int PAGE_TOKENS = 128;
    private static final int PANEL = Kernels.PANEL;

    private final KvQuantOptions options;
    private final Kernels kernels;
    private final RotaryTable table;
    private final RotaryBlock rotary;
    private final KvQuantTables tables;
    private final PackedKeys codes;
    private final Outliers outliers;
    private final ChannelOutliers byChannel;
    private final TokenRange byToken;
    /** Tokens of a panel on their way into codes, where ranges are those of tokens. */
    private final float[] rows;

    private final float[] scales = new float[PANEL];
    private final float[] offsets = new float[PANEL];
    private final float[] deltas;
    private long clamped;

    KeySide(
            KvQuantOptions options,
            Kernels kernels,
            RotaryTable table,
            RotaryBlock rotary,
            KvQuantTables tables,
            PackedKeys codes,
            Outliers outliers) {
        this.options = options;
        this.kernels = kernels;
        this.table = table;
        this.rotary = rotary;
        this.tables = tables;
        this.codes = codes;
        this.outliers = outliers;
        boolean channels = options.keys().byChannel();
        byChannel = new ChannelOutliers(tables.keyRanges(), options.keySlots() / 2);
        byToken = new TokenRange(
                options.keys().thresholds(),
                options.width(),
                options.keySlots() / 2,
                tables.keyLimits().low(),
                tables.keyLimits().high());
        rows = new float[channels ? 0 : PANEL * options.width()];
        deltas = new float[options.width()];
    }

    /** The layout of a page of codes. */
    static PackedLayout layout(KvQuantOptions options, KvQuantTables tables) {
        boolean channels = options.keys().byChannel();
        return new PackedLayout(
                PAGE_TOKENS,
                options.width(),
                options.keyBits(),
                channels ? PAGE_TOKENS : options.width(),
                channels ? Axis.PER_DEPTH : Axis.PER_LANE,
                tables.keys().quantizer());
    }

    PackedKeys codes() {
        return codes;
    }

    Outliers outliers() {
        return outliers;
    }

    /** Numbers that were beyond their thresholds and found no slot, since this layer was made. */
    long clamped() {
        return clamped;
    }

    int size() {
        return codes.size();
    }

    long wantedBytes(int tokens) {
        return codes.wantedBytes(tokens) + outliers.wantedBytes(tokens);
    }

    void reserve(int tokens, PagePool.Claim claim) {
        codes.reserve(tokens, claim);
        outliers.reserve(tokens, claim);
    }

    /** Stores {@code count} tokens, {@code [count][width]}. */
    void append(float[] keys, int count, Scratch scratch) {
        int t = 0;
        while (t < count) {
            int run = codes.size() % PANEL == 0 && count - t >= PANEL ? PANEL : 1;
            if (options.keys().byChannel()) {
                appendByChannel(keys, t * options.width(), run, scratch);
            } else {
                appendByToken(keys, t * options.width(), run, scratch);
            }
            t += run;
        }
    }

    private void appendByChannel(float[] keys, int at, int count, Scratch scratch) {
        int slot = codes.size();
        int width = options.width();
        KvQuantTables.Ranges ranges = tables.keyRanges();
        appendCodes(keys, at, count, ranges.scales(), ranges.offsets(), scratch);
        for (int t = 0; t < count; t++) {
            byChannel.find(keys, at + t * width);
            clamped += byChannel.clamped();
            addOutliers(slot + t, keys, at + t * width, byChannel.channels(), byChannel.count());
        }
    }

    private void appendByToken(float[] keys, int at, int count, Scratch scratch) {
        int slot = codes.size();
        int width = options.width();
        System.arraycopy(keys, at, rows, 0, count * width);
        for (int t = 0; t < count; t++) {
            byToken.fit(keys, at + t * width);
            tables.keys().hide(byToken, rows, t * width);
            scales[t] = byToken.scale();
            offsets[t] = byToken.offset();
        }
        appendCodes(rows, 0, count, scales, offsets, scratch);
        for (int t = 0; t < count; t++) {
            byToken.fit(keys, at + t * width);
            addOutliers(slot + t, keys, at + t * width, byToken.channels(), byToken.count());
        }
    }

    private void appendCodes(float[] keys, int at, int count, float[] scale, float[] offset, Scratch scratch) {
        int width = options.width();
        if (count == 1) {
            codes.appendGiven(keys, at, 1, 1, scale, offset, 0, scratch);
            return;
        }
        float[] columns = scratch.tile(width * count);
        Panels.transpose(keys, at, width, count, width, columns, count);
        codes.appendGiven(columns, 0, count, count, scale, offset, 0, scratch);
    }

    private void addOutliers(int slot, float[] keys, int at, int[] channels, int count) {
        for (int i = 0; i < count; i++) {
            deltas[i] = keys[at + channels[i]] - decoded(slot, channels[i]);
        }
        outliers.append(channels, deltas, count);
    }

    /** What the code of a number means, without its delta. */
    private float decoded(int slot, int channel) {
        float value = codes.value(slot, channel);
        KvQuantTables.Ranges ranges = tables.keyRanges();
        return options.keys().byChannel() ? value * ranges.scales()[channel] + ranges.offsets()[channel] : value;
    }

    /** The keys of one head. */
    KeyReader head(int kvHead) {
        return new Reader(kvHead);
    }

    private final class Reader implements KeyReader {
        private final int first;
        private final int headDim;

        Reader(int kvHead) {
            headDim = options.shape().headDim();
            first = kvHead * headDim;
        }

        @Override
        public int size() {
            return codes.size();
        }

        @Override
        public void scores(
                float[] queries,
                int queryOffset,
                int rows,
                int from,
                int to,
                float[] out,
                int outOffset,
                int outStride,
                Scratch scratch) {
            boolean turns = options.keys().beforeRope();
            if (turns) {
                table.reach(to);
            }
            for (int slot = from; slot < to; slot += PANEL) {
                int o = outOffset + slot - from;
                if (turns) {
                    scoreTurned(slot, queries, queryOffset, rows, out, o, outStride, scratch);
                } else {
                    float[] tile = scratch.tile(headDim * PANEL);
                    restore(slot, tile, scratch);
                    kernels.dots(queries, queryOffset, headDim, rows, tile, 0, headDim, out, o, outStride);
                }
            }
        }

        /** A lone query is scored straight from the codes; for several a panel of keys is restored and turned once. */
        private void scoreTurned(
                int slot,
                float[] queries,
                int queryOffset,
                int rows,
                float[] out,
                int outOffset,
                int outStride,
                Scratch scratch) {
            float[] query = scratch.lanes(rows * headDim);
            rotary.turnBack(slot, queries, queryOffset, rows, query, 0);
            if (rows == 1
                    && headDim % (2 * PackedLayout.UNIT) == 0
                    && options.keys().byChannel()) {
                KvQuantTables.Ranges ranges = tables.keyRanges();
                int end = first + headDim;
                codes.turnedScores(slot, first, end, ranges.scales(), ranges.offsets(), rotary, query, out, outOffset);
                outliers.addTurned(first, end, slot, rotary, query, out, outOffset, scratch);
                return;
            }
            float[] tile = scratch.tile(headDim * PANEL);
            restore(slot, tile, scratch);
            rotary.turn(tile, 0);
            kernels.dots(query, 0, headDim, rows, tile, 0, headDim, out, outOffset, outStride);
        }

        /** The keys of 32 slots as they were stored, {@code [headDim][32]}. */
        private void restore(int slot, float[] tile, Scratch scratch) {
            if (options.keys().byChannel()) {
                KvQuantTables.Ranges ranges = tables.keyRanges();
                codes.unpackGiven(slot, first, first + headDim, ranges.scales(), ranges.offsets(), tile);
            } else {
                codes.unpack(slot, first, first + headDim, tile, scratch);
            }
            outliers.addTo(first, first + headDim, slot, tile, scratch);
        }
    }

    void truncate(int size) {
        codes.truncate(size);
        outliers.truncate(size);
    }

    Footprint footprint() {
        return codes.footprint().plus(outliers.footprint());
    }

    KeySide fork() {
        KeySide fork = new KeySide(options, kernels, table, rotary, tables, codes.fork(), outliers.fork());
        fork.clamped = clamped;
        return fork;
    }

    void write(DataOutput out) throws IOException {
        codes.write(out);
        outliers.write(out);
    }

    void read(DataInput in, int size) throws IOException {
        codes.read(in, size);
        outliers.read(in, size);
    }

    void release() {
        codes.release();
        outliers.release();
    }
}
