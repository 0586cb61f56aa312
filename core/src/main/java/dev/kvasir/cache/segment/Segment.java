package dev.kvasir.cache.segment;

import dev.kvasir.cache.CacheFileException;
import dev.kvasir.cache.Footprint;
import dev.kvasir.cache.PagePool;
import dev.kvasir.cache.kernel.Element;
import dev.kvasir.cache.kernel.Kernels;
import dev.kvasir.cache.store.ExactValues;
import dev.kvasir.cache.store.KeyReader;
import dev.kvasir.cache.store.Scratch;
import dev.kvasir.cache.store.TokenNumbers;
import dev.kvasir.cache.store.ValueReader;
import java.io.DataInput;
import java.io.DataOutput;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * Tokens of one layer that were quantized together and stay as they are.
 *
 * <pre>
 *   slots of a head = important tokens, by position | the others, by position
 *   selection       = a bit for each token and selection, 1 if important
 *   factors         = F16 [kvHeads][headDim]: c = sqrt(max |V|) over all tokens of the segment
 * </pre>
 *
 * Values are stored as v / c. The sums of both sets, made under one c, are multiplied by it once for each read.
 */
public final class Segment {
    private final SegmentLayout layout;
    private final int tokens;
    private final int highTokens;
    private final Optional<SegmentSet> high;
    private final Optional<SegmentSet> low;
    /** {@code [selections][words]}, in one page. */
    private final TokenNumbers selection;

    private final ExactValues factors;
    private final List<SegmentValues> values = new ArrayList<>();

    public Segment(SegmentLayout layout, int tokens, int highTokens, PagePool pool, Kernels kernels) {
        this(
                layout,
                tokens,
                highTokens,
                set(layout, true, highTokens, pool, kernels),
                set(layout, false, tokens - highTokens, pool, kernels),
                new TokenNumbers(pool, layout.selections() * SegmentLayout.words(tokens)),
                new ExactValues(
                        pool,
                        kernels,
                        Element.F16,
                        layout.shape().headDim(),
                        layout.shape().kvHeads(),
                        0));
    }

    private Segment(
            SegmentLayout layout,
            int tokens,
            int highTokens,
            Optional<SegmentSet> high,
            Optional<SegmentSet> low,
            TokenNumbers selection,
            ExactValues factors) {
        this.layout = layout;
        this.tokens = tokens;
        this.highTokens = highTokens;
        this.high = high;
        this.low = low;
        this.selection = selection;
        this.factors = factors;
        for (int kvHead = 0; kvHead < layout.shape().kvHeads(); kvHead++) {
            values.add(new SegmentValues(kvHead));
        }
    }

    private static Optional<SegmentSet> set(
            SegmentLayout layout, boolean high, int tokens, PagePool pool, Kernels kernels) {
        return tokens == 0
                ? Optional.empty()
                : Optional.of(new SegmentSet(layout, layout.bits(high), tokens, pool, kernels));
    }

    public int tokens() {
        return tokens;
    }

    public int highTokens() {
        return highTokens;
    }

    /** The important tokens. */
    public Optional<SegmentSet> high() {
        return high;
    }

    /** The others. */
    public Optional<SegmentSet> low() {
        return low;
    }

    /** The sets that have tokens. */
    List<SegmentSet> sets() {
        List<SegmentSet> sets = new ArrayList<>();
        high.ifPresent(sets::add);
        low.ifPresent(sets::add);
        return sets;
    }

    /** Adds a head's keys to the parts of a chain. */
    void addKeys(int kvHead, List<KeyReader> parts) {
        high.ifPresent(set -> parts.add(set.keys(kvHead)));
        low.ifPresent(set -> parts.add(set.keys(kvHead)));
    }

    ValueReader values(int kvHead) {
        return values.get(kvHead);
    }

    /** Whether a token, counted from 0, is important for a head. */
    public boolean isHigh(int kvHead, int token) {
        int row = layout.selections() == 1 ? 0 : kvHead;
        int word = selection.number(row * SegmentLayout.words(tokens) + token / Integer.SIZE);
        return ((word >>> (token % Integer.SIZE)) & 1) == 1;
    }

    /** The factors of all channels; empty if there are none. */
    public float[] factors() {
        float[] all = new float[layout.separatesChannels() ? layout.channels() : 0];
        for (int kvHead = 0; kvHead < factors.size(); kvHead++) {
            factors.row(kvHead, all, kvHead * layout.shape().headDim(), new Scratch());
        }
        return all;
    }

    public long wantedBytes() {
        long wanted = selection.wantedBytes(layout.selections() * SegmentLayout.words(tokens), false);
        wanted +=
                layout.separatesChannels() ? factors.wantedBytes(layout.shape().kvHeads()) : 0;
        for (SegmentSet set : sets()) {
            wanted += set.wantedBytes();
        }
        return wanted;
    }

    public void reserve(PagePool.Claim claim) {
        selection.reserve(layout.selections() * SegmentLayout.words(tokens), false, claim);
        if (layout.separatesChannels()) {
            factors.reserve(layout.shape().kvHeads(), claim);
        }
        for (SegmentSet set : sets()) {
            set.reserve(claim);
        }
    }

    /** Writes the selections, before the sets are filled. */
    public void select(boolean[][] chosen) {
        for (boolean[] row : chosen) {
            for (int from = 0; from < tokens; from += Integer.SIZE) {
                int word = 0;
                for (int i = from; i < Math.min(tokens, from + Integer.SIZE); i++) {
                    word |= row[i] ? 1 << (i - from) : 0;
                }
                selection.append(word);
            }
        }
    }

    /** Measures and stores the channels' factors; what they are stored as counts. */
    public void measure(SegmentRows rows) {
        if (!layout.separatesChannels()) {
            return;
        }
        int d = layout.shape().headDim();
        float[] row = new float[d];
        float[] most = new float[d];
        for (int kvHead = 0; kvHead < layout.shape().kvHeads(); kvHead++) {
            java.util.Arrays.fill(most, 0f);
            for (int token = 0; token < tokens; token++) {
                rows.value(kvHead, token, row, 0);
                for (int c = 0; c < d; c++) {
                    most[c] = Math.max(most[c], Math.abs(row[c]));
                }
            }
            for (int c = 0; c < d; c++) {
                most[c] = Element.F16.round((float) Math.sqrt(most[c]));
                most[c] = most[c] == 0 ? 1 : most[c];
            }
            factors.append(most, 0, d, 1, new Scratch());
        }
    }

    /** Codes and parameters of both sets; factors count as scales, selections as indices. */
    public Footprint footprint() {
        Footprint sum = new Footprint(0, factors.footprint().total(), 0, selection.bytes(), 0);
        for (SegmentSet set : sets()) {
            sum = sum.plus(set.footprint());
        }
        return sum;
    }

    Segment fork() {
        return new Segment(
                layout,
                tokens,
                highTokens,
                high.map(SegmentSet::fork),
                low.map(SegmentSet::fork),
                selection.fork(),
                factors.fork());
    }

    public void write(DataOutput out) throws IOException {
        selection.write(out);
        factors.write(out);
        for (SegmentSet set : sets()) {
            set.write(out);
        }
    }

    void read(DataInput in) throws IOException {
        int words = SegmentLayout.words(tokens);
        selection.read(in, layout.selections() * words);
        for (int row = 0; row < layout.selections(); row++) {
            int chosen = 0;
            for (int i = 0; i < words; i++) {
                chosen += Integer.bitCount(selection.number(row * words + i));
            }
            if (chosen != highTokens) {
                throw new CacheFileException(
                        "important tokens of a head: found " + chosen + ", expected " + highTokens);
            }
        }
        factors.read(in, layout.separatesChannels() ? layout.shape().kvHeads() : 0);
        for (float factor : factors()) {
            if (!(factor > 0 && factor < Float.POSITIVE_INFINITY)) {
                throw new CacheFileException("factor of a channel is " + factor + ", allowed are numbers above 0");
            }
        }
        for (SegmentSet set : sets()) {
            set.read(in);
        }
    }

    public void release() {
        selection.release();
        factors.release();
        for (SegmentSet set : sets()) {
            set.release();
        }
    }

    /** A head's values of both sets, important ones first. */
    private final class SegmentValues implements ValueReader {
        private final int kvHead;

        SegmentValues(int kvHead) {
            this.kvHead = kvHead;
        }

        @Override
        public int size() {
            return tokens;
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
            if (!layout.separatesChannels()) {
                add(weights, weightOffset, weightStride, rows, from, to, out, outOffset, scratch);
                return;
            }
            int d = layout.shape().headDim();
            float[] sums = scratch.spare((rows + 1) * d);
            java.util.Arrays.fill(sums, 0, rows * d, 0f);
            add(weights, weightOffset, weightStride, rows, from, to, sums, 0, scratch);
            factors.row(kvHead, sums, rows * d, scratch);
            for (int r = 0; r < rows; r++) {
                for (int c = 0; c < d; c++) {
                    out[outOffset + r * d + c] += sums[rows * d + c] * sums[r * d + c];
                }
            }
        }

        private void add(
                float[] weights,
                int weightOffset,
                int weightStride,
                int rows,
                int from,
                int to,
                float[] out,
                int outOffset,
                Scratch scratch) {
            if (from < highTokens && high.isPresent()) {
                int end = Math.min(to, highTokens);
                high.get()
                        .values(kvHead)
                        .addWeighted(weights, weightOffset, weightStride, rows, from, end, out, outOffset, scratch);
            }
            if (to > highTokens && low.isPresent()) {
                int first = Math.max(from, highTokens);
                low.get()
                        .values(kvHead)
                        .addWeighted(
                                weights,
                                weightOffset + first - from,
                                weightStride,
                                rows,
                                first - highTokens,
                                to - highTokens,
                                out,
                                outOffset,
                                scratch);
            }
        }
    }
}
