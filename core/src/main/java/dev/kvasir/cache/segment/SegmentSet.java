package dev.kvasir.cache.segment;

import dev.kvasir.cache.Footprint;
import dev.kvasir.cache.PagePool;
import dev.kvasir.cache.kernel.Kernels;
import dev.kvasir.cache.kernel.PackedLayout;
import dev.kvasir.cache.kernel.PackedLayout.Axis;
import dev.kvasir.cache.store.KeyReader;
import dev.kvasir.cache.store.PackedKeys;
import dev.kvasir.cache.store.PackedValues;
import dev.kvasir.cache.store.Panels;
import dev.kvasir.cache.store.Scratch;
import dev.kvasir.cache.store.ValueReader;
import java.io.DataInput;
import java.io.DataOutput;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;

/** The important tokens of a segment, or the others: keys head by head, values of all heads in one page. */
public final class SegmentSet {
    /** Numbers up to which a head's keys are laid out in the scratch that stays. */
    private static final int SMALL = 1 << 16;

    private static final int PANEL = 32;

    private final SegmentLayout layout;
    private final int tokens;
    private final List<PackedKeys> keys;
    private final PackedValues values;
    private final List<KeyReader> keyReaders = new ArrayList<>();
    private final List<ValueReader> valueReaders = new ArrayList<>();

    SegmentSet(SegmentLayout layout, int bits, int tokens, PagePool pool, Kernels kernels) {
        this(layout, tokens, new ArrayList<>(), new PackedValues(pool, kernels, layout.values(bits, tokens)));
        PackedLayout page = layout.keys(bits, tokens);
        for (int kvHead = 0; kvHead < layout.shape().kvHeads(); kvHead++) {
            addKeys(new PackedKeys(pool, kernels, page));
        }
    }

    private SegmentSet(SegmentLayout layout, int tokens, List<PackedKeys> keys, PackedValues values) {
        this.layout = layout;
        this.tokens = tokens;
        this.keys = keys;
        this.values = values;
        int d = layout.shape().headDim();
        for (int kvHead = 0; kvHead < layout.shape().kvHeads(); kvHead++) {
            valueReaders.add(values.channels(kvHead * d, (kvHead + 1) * d));
        }
    }

    private void addKeys(PackedKeys store) {
        keys.add(store);
        keyReaders.add(new SetKeys(store, tokens));
    }

    /** Keys without the lanes that only fill up the last unit. */
    private record SetKeys(PackedKeys store, int size) implements KeyReader {
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
            store.scores(queries, queryOffset, rows, from, to, out, outOffset, outStride, scratch);
        }
    }

    public int tokens() {
        return tokens;
    }

    KeyReader keys(int kvHead) {
        return keyReaders.get(kvHead);
    }

    ValueReader values(int kvHead) {
        return valueReaders.get(kvHead);
    }

    public PackedKeys keyStore(int kvHead) {
        return keys.get(kvHead);
    }

    public PackedValues valueStore() {
        return values;
    }

    long wantedBytes() {
        return keys.size() * keys.getFirst().layout().bytes() + values.layout().bytes();
    }

    void reserve(PagePool.Claim claim) {
        for (PackedKeys head : keys) {
            head.reserve(tokens, claim);
        }
        values.reserve(tokens, claim);
    }

    /** Quantizes a head's keys of the tokens {@code chosen}, in their order. */
    public void writeKeys(int kvHead, SegmentRows rows, int[] chosen, Scratch scratch) {
        PackedKeys store = keys.get(kvHead);
        int d = layout.shape().headDim();
        int lanes = store.layout().lanes();
        boolean perChannel = store.layout().axis() == Axis.PER_DEPTH;
        float[] panel = scratch.lanes(PANEL * d);
        float[] columns = !perChannel ? panel : d * lanes <= SMALL ? scratch.tile(d * lanes) : new float[d * lanes];
        for (int from = 0; from < tokens; from += PANEL) {
            int count = Math.min(PANEL, tokens - from);
            for (int i = 0; i < count; i++) {
                rows.key(kvHead, chosen[from + i], panel, i * d);
            }
            if (perChannel) {
                Panels.transpose(panel, 0, d, count, d, columns, from, lanes);
            } else {
                store.append(panel, 0, d, count, scratch);
            }
        }
        if (perChannel) {
            // Lanes beyond the last token repeat it, so that no range grows.
            for (int c = 0; c < d; c++) {
                java.util.Arrays.fill(columns, c * lanes + tokens, (c + 1) * lanes, columns[c * lanes + tokens - 1]);
            }
            store.appendColumns(columns, 0, lanes, lanes, scratch);
        }
    }

    /**
     * Quantizes the values of all heads.
     *
     * @param chosen of each selection, the tokens in their order
     * @param factors of each channel, by which it is divided; empty if by none
     */
    public void writeValues(SegmentRows rows, int[][] chosen, float[] factors, Scratch scratch) {
        int d = layout.shape().headDim();
        int width = layout.channels();
        float[] block = scratch.lanes(PANEL * width);
        for (int from = 0; from < tokens; from += PANEL) {
            int count = Math.min(PANEL, tokens - from);
            for (int i = 0; i < count; i++) {
                for (int kvHead = 0; kvHead < layout.shape().kvHeads(); kvHead++) {
                    int token = chosen[chosen.length == 1 ? 0 : kvHead][from + i];
                    rows.value(kvHead, token, block, i * width + kvHead * d);
                }
                for (int c = 0; c < factors.length; c++) {
                    block[i * width + c] /= factors[c];
                }
            }
            values.append(block, 0, width, count, scratch);
        }
    }

    Footprint footprint() {
        Footprint sum = values.footprint();
        for (PackedKeys head : keys) {
            sum = sum.plus(head.footprint());
        }
        return sum;
    }

    SegmentSet fork() {
        SegmentSet fork = new SegmentSet(layout, tokens, new ArrayList<>(), values.fork());
        for (PackedKeys head : keys) {
            fork.addKeys(head.fork());
        }
        return fork;
    }

    void write(DataOutput out) throws IOException {
        for (PackedKeys head : keys) {
            head.write(out);
        }
        values.write(out);
    }

    void read(DataInput in) throws IOException {
        for (PackedKeys head : keys) {
            head.read(in, head.layout().axis() == Axis.PER_DEPTH ? head.layout().lanes() : tokens);
        }
        values.read(in, tokens);
    }

    void release() {
        keys.forEach(PackedKeys::release);
        values.release();
    }
}
