package dev.kvasir.cache.segment;

import dev.kvasir.cache.CacheFileException;
import dev.kvasir.cache.Footprint;
import dev.kvasir.cache.PagePool;
import dev.kvasir.cache.kernel.Kernels;
import dev.kvasir.cache.store.KeyChain;
import dev.kvasir.cache.store.KeyReader;
import dev.kvasir.cache.store.ValueChain;
import dev.kvasir.cache.store.ValueReader;
import java.io.DataInput;
import java.io.DataOutput;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.function.IntUnaryOperator;

/**
 * One layer's tokens: segments, then the exact tail, read as one chain.
 *
 * <pre>
 *   slots of a head = segment 0: important | others | segment 1: important | others | ... | tail, by position
 * </pre>
 */
public final class Segments {
    private final SegmentLayout layout;
    private final PagePool pool;
    private final Kernels kernels;
    private final List<Segment> list = new ArrayList<>();
    private final SegmentTail tail;
    private final List<List<KeyReader>> keyParts = new ArrayList<>();
    private final List<List<ValueReader>> valueParts = new ArrayList<>();
    private final List<KeyChain> keys = new ArrayList<>();
    private final List<ValueChain> values = new ArrayList<>();
    private int sealed;

    public Segments(SegmentLayout layout, PagePool pool, Kernels kernels) {
        this(layout, pool, kernels, List.of(), new SegmentTail(layout, pool, kernels));
    }

    private Segments(SegmentLayout layout, PagePool pool, Kernels kernels, List<Segment> segments, SegmentTail tail) {
        this.layout = layout;
        this.pool = pool;
        this.kernels = kernels;
        this.tail = tail;
        list.addAll(segments);
        for (int kvHead = 0; kvHead < layout.shape().kvHeads(); kvHead++) {
            keyParts.add(new ArrayList<>());
            valueParts.add(new ArrayList<>());
            keys.add(KeyChain.ofPlainQueries(layout.shape().headDim(), keyParts.get(kvHead)));
            values.add(new ValueChain(valueParts.get(kvHead)));
        }
        rechain();
    }

    private void rechain() {
        sealed = 0;
        for (Segment segment : list) {
            sealed += segment.tokens();
        }
        for (int kvHead = 0; kvHead < keys.size(); kvHead++) {
            keyParts.get(kvHead).clear();
            valueParts.get(kvHead).clear();
            for (Segment segment : list) {
                segment.addKeys(kvHead, keyParts.get(kvHead));
                valueParts.get(kvHead).add(segment.values(kvHead));
            }
            keyParts.get(kvHead).add(tail.keys(kvHead));
            valueParts.get(kvHead).add(tail.values(kvHead));
        }
    }

    /** The segments, oldest first. */
    public List<Segment> list() {
        return list;
    }

    /** The tokens after them. */
    public SegmentTail tail() {
        return tail;
    }

    /** Tokens of all segments. */
    public int sealed() {
        return sealed;
    }

    /** Tokens of all. */
    public int size() {
        return sealed + tail.size();
    }

    /** All keys of a head. */
    public KeyReader keys(int kvHead) {
        return keys.get(kvHead);
    }

    /** All values of a head. */
    public ValueReader values(int kvHead) {
        return values.get(kvHead);
    }

    /** A segment that is not among these yet; takes no memory before it is reserved. */
    public Segment make(int tokens, int high) {
        return new Segment(layout, tokens, high, pool, kernels);
    }

    /**
     * Adds a segment that holds what the tail held, and empties the tail.
     *
     * @param alone whether it also stands for all segments before it, which are released
     */
    public void seal(Segment segment, boolean alone) {
        if (alone) {
            list.forEach(Segment::release);
            list.clear();
        }
        list.add(segment);
        tail.truncate(0);
        rechain();
    }

    /** Takes tokens of the tail back. */
    public void truncate(int size) {
        if (size < size()) {
            tail.truncate(size - sealed);
        }
    }

    public Footprint footprint() {
        Footprint sum = tail.footprint();
        for (Segment segment : list) {
            sum = sum.plus(segment.footprint());
        }
        return sum;
    }

    public Segments fork() {
        return new Segments(
                layout, pool, kernels, list.stream().map(Segment::fork).toList(), tail.fork());
    }

    public void write(DataOutput out) throws IOException {
        out.writeInt(list.size());
        for (Segment segment : list) {
            out.writeInt(segment.tokens());
            out.writeInt(segment.highTokens());
            segment.write(out);
        }
        tail.write(out);
    }

    /**
     * Reads what {@link #write} wrote.
     *
     * @param size tokens of all
     * @param leastHigh the fewest important tokens a segment of so many may have
     * @param mostHigh the most
     * @throws CacheFileException if the numbers contradict each other
     */
    public void read(DataInput in, int size, IntUnaryOperator leastHigh, IntUnaryOperator mostHigh) throws IOException {
        int count = bounded("segments", in.readInt(), 0, size);
        int left = size;
        for (int i = 0; i < count; i++) {
            int tokens = bounded("tokens of a segment", in.readInt(), 1, Math.min(left, Integer.MAX_VALUE / 2));
            int high = bounded(
                    "important tokens", in.readInt(), leastHigh.applyAsInt(tokens), mostHigh.applyAsInt(tokens));
            Segment segment = make(tokens, high);
            list.add(segment);
            segment.read(in);
            left -= tokens;
        }
        tail.read(in, bounded("tokens after the segments", left, 0, layout.interval() - 1));
        rechain();
    }

    private static int bounded(String what, int found, int from, int to) {
        if (found < from || found > to) {
            throw new CacheFileException(what + ": found " + found + ", allowed are " + from + " to " + to);
        }
        return found;
    }

    public void release() {
        list.forEach(Segment::release);
        list.clear();
        tail.release();
        rechain();
    }
}
