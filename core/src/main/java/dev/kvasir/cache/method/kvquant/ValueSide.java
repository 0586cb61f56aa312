package dev.kvasir.cache.method.kvquant;

import dev.kvasir.cache.Footprint;
import dev.kvasir.cache.PagePool;
import dev.kvasir.cache.kernel.PackedLayout;
import dev.kvasir.cache.kernel.PackedLayout.Axis;
import dev.kvasir.cache.store.Outliers;
import dev.kvasir.cache.store.PackedValues;
import dev.kvasir.cache.store.Scratch;
import dev.kvasir.cache.store.ValueReader;
import java.io.DataInput;
import java.io.DataOutput;
import java.io.IOException;

/** The values of a layer: codes of all heads together under a token's own range, outliers beside them. */
final class ValueSide {
    static final int PAGE_TOKENS = 128;

    private final KvQuantOptions options;
    private final KvQuantTables tables;
    private final PackedValues codes;
    private final Outliers outliers;
    private final TokenRange range;
    private final float[] row;
    private final float[] deltas;
    private final float[] scale = new float[1];
    private final float[] offset = new float[1];

    ValueSide(KvQuantOptions options, KvQuantTables tables, PackedValues codes, Outliers outliers) {
        this.options = options;
        this.tables = tables;
        this.codes = codes;
        this.outliers = outliers;
        range = new TokenRange(
                options.values().thresholds(),
                options.width(),
                options.valueSlots() / 2,
                tables.valueLimits().low(),
                tables.valueLimits().high());
        row = new float[options.width()];
        deltas = new float[options.width()];
    }

    /** The layout of a page of codes. */
    static PackedLayout layout(KvQuantOptions options, KvQuantTables tables) {
        return new PackedLayout(
                options.width(),
                PAGE_TOKENS,
                options.valueBits(),
                options.width(),
                Axis.PER_DEPTH,
                tables.values().quantizer());
    }

    PackedValues codes() {
        return codes;
    }

    Outliers outliers() {
        return outliers;
    }

    long wantedBytes(int tokens) {
        return codes.wantedBytes(tokens) + outliers.wantedBytes(tokens);
    }

    void reserve(int tokens, PagePool.Claim claim) {
        codes.reserve(tokens, claim);
        outliers.reserve(tokens, claim);
    }

    /** Stores {@code count} tokens, {@code [count][width]}, the first {@code sinks} of them as zeros. */
    void append(float[] values, int count, int sinks, Scratch scratch) {
        int width = options.width();
        for (int t = 0; t < count; t++) {
            int slot = codes.size();
            boolean sink = t < sinks;
            System.arraycopy(values, t * width, row, 0, width);
            range.fit(values, t * width);
            tables.values().hide(range, row, 0);
            scale[0] = sink ? 0 : range.scale();
            offset[0] = sink ? 0 : range.offset();
            codes.appendGiven(row, 0, width, 1, scale, offset, 0, scratch);
            int found = sink ? 0 : range.count();
            for (int i = 0; i < found; i++) {
                int channel = range.channels()[i];
                deltas[i] = values[t * width + channel] - codes.value(slot, channel);
            }
            outliers.append(range.channels(), deltas, found);
        }
    }

    /** The values of one head. */
    ValueReader head(int kvHead) {
        return new Reader(kvHead);
    }

    private final class Reader implements ValueReader {
        private final int first;
        private final int headDim;
        private final ValueReader inliers;

        Reader(int kvHead) {
            headDim = options.shape().headDim();
            first = kvHead * headDim;
            inliers = codes.channels(first, first + headDim);
        }

        @Override
        public int size() {
            return codes.size();
        }

        @Override
        public void addWeighted(
                float[] weights,
                int weightOffset,
                int weightStride,
                int rows,
                int from,
                int to,
                float[] out,
                int outOffset,
                Scratch scratch) {
            inliers.addWeighted(weights, weightOffset, weightStride, rows, from, to, out, outOffset, scratch);
            outliers.addWeighted(
                    first,
                    first + headDim,
                    weights,
                    weightOffset,
                    weightStride,
                    rows,
                    from,
                    to,
                    out,
                    outOffset,
                    scratch);
        }
    }

    void truncate(int size) {
        codes.truncate(size);
        outliers.truncate(size);
    }

    Footprint footprint() {
        return codes.footprint().plus(outliers.footprint());
    }

    ValueSide fork() {
        return new ValueSide(options, tables, codes.fork(), outliers.fork());
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
