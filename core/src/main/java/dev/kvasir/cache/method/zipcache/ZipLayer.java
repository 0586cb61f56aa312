package dev.kvasir.cache.method.zipcache;

import dev.kvasir.cache.CacheFileException;
import dev.kvasir.cache.Footprint;
import dev.kvasir.cache.PagePool;
import dev.kvasir.cache.Queries;
import dev.kvasir.cache.TokenStates;
import dev.kvasir.cache.attention.SingleLayer;
import dev.kvasir.cache.attention.WeightObserver;
import dev.kvasir.cache.importance.ColumnSums;
import dev.kvasir.cache.importance.ProbeRows;
import dev.kvasir.cache.importance.StepRows;
import dev.kvasir.cache.kernel.Kernels;
import dev.kvasir.cache.store.KeyChain;
import dev.kvasir.cache.store.KeyReader;
import dev.kvasir.cache.store.Scratch;
import dev.kvasir.cache.store.ValueChain;
import dev.kvasir.cache.store.ValueReader;
import java.io.DataInput;
import java.io.DataOutput;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * One layer of ZipCache: segments, then the tail. A step attends first; then its tokens join the tail, or together with the
 * tail become a segment.
 *
 * <p>A segment is made of the first step if it has several tokens, and whenever the tail would reach the interval.
 */
final class ZipLayer implements SingleLayer {
    private final ZipPlan plan;
    private final PagePool pool;
    private final Kernels kernels;
    private final List<ZipSegment> segments = new ArrayList<>();
    private final ZipTail tail;
    private final ProbeRows probes;
    private final ColumnSums sums;
    private final Optional<WeightObserver> observer;
    private final List<List<KeyReader>> keyParts = new ArrayList<>();
    private final List<List<ValueReader>> valueParts = new ArrayList<>();
    private final List<KeyChain> keys = new ArrayList<>();
    private final List<ValueChain> values = new ArrayList<>();
    /** Tokens of all segments. */
    private int sealed;

    /** Pages reserved for the segment that the coming step makes. */
    private @Nullable ZipSegment coming;

    // The step at hand.
    private final StepRows step;
    private @Nullable ZipFlush flush;

    ZipLayer(ZipPlan plan, PagePool pool, Kernels kernels) {
        this(plan, pool, kernels, List.of(), new ZipTail(plan, pool, kernels));
    }

    private ZipLayer(ZipPlan plan, PagePool pool, Kernels kernels, List<ZipSegment> sealedSegments, ZipTail tail) {
        this.plan = plan;
        this.pool = pool;
        this.kernels = kernels;
        this.tail = tail;
        step = new StepRows(plan.shape().kvHeads(), plan.shape().headDim());
        segments.addAll(sealedSegments);
        probes = plan.probes();
        sums = new ColumnSums(
                plan.shape().kvHeads(),
                probes,
                (kvHead, slot, weights, offset, count) -> tail.add(kvHead, slot - sealed, weights, offset, count));
        observer = Optional.of(sums);
        for (int kvHead = 0; kvHead < plan.shape().kvHeads(); kvHead++) {
            keyParts.add(new ArrayList<>());
            valueParts.add(new ArrayList<>());
            keys.add(KeyChain.ofPlainQueries(plan.shape().headDim(), keyParts.get(kvHead)));
            values.add(new ValueChain(valueParts.get(kvHead)));
        }
        rechain();
    }

    private void rechain() {
        sealed = 0;
        for (ZipSegment segment : segments) {
            sealed += segment.tokens();
        }
        for (int kvHead = 0; kvHead < keys.size(); kvHead++) {
            keyParts.get(kvHead).clear();
            valueParts.get(kvHead).clear();
            for (ZipSegment segment : segments) {
                segment.addKeys(kvHead, keyParts.get(kvHead));
                valueParts.get(kvHead).add(segment.values(kvHead));
            }
            keyParts.get(kvHead).add(tail.keys(kvHead));
            valueParts.get(kvHead).add(tail.values(kvHead));
        }
    }

    List<ZipSegment> segments() {
        return segments;
    }

    ZipTail tail() {
        return tail;
    }

    @Override
    public int size() {
        return sealed + tail.size();
    }

    @Override
    public KeyReader keys(int kvHead) {
        return keys.get(kvHead);
    }

    @Override
    public ValueReader values(int kvHead) {
        return values.get(kvHead);
    }

    @Override
    public Optional<WeightObserver> observer() {
        probes.expect(tail.size());
        sums.expect(size(), sealed);
        return observer;
    }

    private boolean flushes(int count) {
        return (size() == 0 && count > 1) || tail.size() + count >= plan.interval();
    }

    /** Tokens of the segment that a flush now would make. */
    private int flushed(int count) {
        return tail.size() + count + (plan.requantizesAll() ? sealed : 0);
    }

    private int flushedHigh(int count) {
        int high = plan.highSize(tail.size() + count);
        for (int i = 0; plan.requantizesAll() && i < segments.size(); i++) {
            high += segments.get(i).highTokens();
        }
        return high;
    }

    private boolean isComing(int tokens) {
        return coming != null && coming.tokens() == tokens;
    }

    @Override
    public long wantedBytes(int count) {
        if (count == 0) {
            return 0;
        }
        if (!flushes(count)) {
            return tail.wantedBytes(count);
        }
        long wanted = tail.size() > 0 ? tail.wantedBytes(0) : 0;
        int tokens = flushed(count);
        return isComing(tokens)
                ? wanted
                : wanted + new ZipSegment(plan, tokens, flushedHigh(count), pool, kernels).wantedBytes();
    }

    @Override
    public void reserve(int count, PagePool.Claim claim) {
        if (count == 0) {
            return;
        }
        if (!flushes(count)) {
            tail.reserve(count, claim);
            return;
        }
        if (tail.size() > 0) {
            tail.reserve(0, claim);
        }
        if (!isComing(flushed(count))) {
            dropComing();
            ZipSegment segment = new ZipSegment(plan, flushed(count), flushedHigh(count), pool, kernels);
            segment.reserve(claim);
            coming = segment;
        }
    }

    private void dropComing() {
        if (coming != null) {
            coming.release();
            coming = null;
        }
    }

    @Override
    public void begin(TokenStates states, Queries queries) {
        step.take(states, size());
        ZipSegment segment = coming;
        if (flushes(step.count()) && segment != null) {
            boolean[][] chosen = Salient.choose(plan, sealed, tail, step.count(), sums, probes);
            flush = new ZipFlush(plan, segment, plan.requantizesAll() ? segments : List.of(), tail, step, chosen);
        } else {
            gather();
        }
    }

    /** Keeps what the step's probes gave to the step's own tokens, and counts the probes. */
    private void gather() {
        for (int t = 0; t < step.count(); t++) {
            for (int kvHead = 0; kvHead < keys.size(); kvHead++) {
                tail.open(tail.size() + t, kvHead, sums.own(kvHead, t));
            }
        }
        for (int t = 0; t < step.count(); t++) {
            if (probes.wants(t)) {
                tail.probe(tail.size() + t);
            }
        }
    }

    @Override
    public int appendParts() {
        return flush == null ? keys.size() : flush.parts();
    }

    @Override
    public void append(int part, Scratch scratch) {
        if (flush == null) {
            tail.append(part, step, scratch);
        } else {
            flush.run(part, scratch);
        }
    }

    @Override
    public void end() {
        ZipSegment segment = coming;
        if (flush != null && segment != null) {
            if (plan.requantizesAll()) {
                segments.forEach(ZipSegment::release);
                segments.clear();
            }
            segments.add(segment);
            tail.truncate(0);
            coming = null;
            flush = null;
            rechain();
        }
        dropComing();
        step.clear();
    }

    /** Segments stay, and so does what a probe gave: tokens since then can be taken back. */
    @Override
    public int smallestSize() {
        return sealed + tail.traced();
    }

    @Override
    public void truncate(int size) {
        dropComing();
        if (size < size()) {
            tail.truncate(size - sealed);
        }
    }

    @Override
    public Footprint footprint() {
        Footprint sum = tail.footprint();
        for (ZipSegment segment : segments) {
            sum = sum.plus(segment.footprint());
        }
        return coming == null ? sum : sum.plus(coming.footprint());
    }

    @Override
    public ZipLayer fork() {
        return new ZipLayer(
                plan, pool, kernels, segments.stream().map(ZipSegment::fork).toList(), tail.fork());
    }

    @Override
    public void write(DataOutput out) throws IOException {
        out.writeInt(segments.size());
        for (ZipSegment segment : segments) {
            out.writeInt(segment.tokens());
            out.writeInt(segment.highTokens());
            segment.write(out);
        }
        tail.write(out);
    }

    @Override
    public void read(DataInput in, int size) throws IOException {
        int count = bounded("segments", in.readInt(), 0, size);
        int left = size;
        for (int i = 0; i < count; i++) {
            int tokens = bounded("tokens of a segment", in.readInt(), 1, Math.min(left, Integer.MAX_VALUE / 2));
            int expected = plan.highSize(tokens);
            // Requantized segments are joined from several, each rounded by itself.
            int high = bounded(
                    "salient tokens",
                    in.readInt(),
                    plan.requantizesAll() ? 0 : expected,
                    plan.requantizesAll() ? tokens : expected);
            ZipSegment segment = new ZipSegment(plan, tokens, high, pool, kernels);
            segments.add(segment);
            segment.read(in);
            left -= tokens;
        }
        tail.read(in, bounded("tokens after the segments", left, 0, plan.interval() - 1));
        rechain();
    }

    private static int bounded(String what, int found, int from, int to) {
        if (found < from || found > to) {
            throw new CacheFileException(what + ": found " + found + ", allowed are " + from + " to " + to);
        }
        return found;
    }

    @Override
    public void release() {
        dropComing();
        segments.forEach(ZipSegment::release);
        segments.clear();
        tail.release();
        rechain();
    }
}
