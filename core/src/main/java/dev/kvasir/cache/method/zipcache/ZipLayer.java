package dev.kvasir.cache.method.zipcache;

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
import dev.kvasir.cache.segment.Segment;
import dev.kvasir.cache.segment.SegmentFlush;
import dev.kvasir.cache.segment.SegmentTail;
import dev.kvasir.cache.segment.Segments;
import dev.kvasir.cache.store.KeyReader;
import dev.kvasir.cache.store.Scratch;
import dev.kvasir.cache.store.ValueReader;
import java.io.DataInput;
import java.io.DataOutput;
import java.io.IOException;
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
    private final Segments segments;
    private final SegmentTail tail;
    private final ProbeRows probes;
    private final ColumnSums sums;
    private final Optional<WeightObserver> observer;

    /** Pages reserved for the segment that the coming step makes. */
    private @Nullable Segment coming;

    // The step at hand.
    private final StepRows step;
    private @Nullable SegmentFlush flush;

    ZipLayer(ZipPlan plan, PagePool pool, Kernels kernels) {
        this(plan, new Segments(plan.layout(), pool, kernels));
    }

    private ZipLayer(ZipPlan plan, Segments segments) {
        this.plan = plan;
        this.segments = segments;
        tail = segments.tail();
        int heads = plan.layout().shape().kvHeads();
        step = new StepRows(heads, plan.layout().shape().headDim());
        probes = plan.probes();
        sums = new ColumnSums(
                heads,
                probes,
                (kvHead, slot, weights, offset, count) ->
                        tail.add(kvHead, slot - segments.sealed(), weights, offset, count));
        observer = Optional.of(sums);
    }

    List<Segment> segments() {
        return segments.list();
    }

    SegmentTail tail() {
        return tail;
    }

    @Override
    public int size() {
        return segments.size();
    }

    @Override
    public KeyReader keys(int kvHead) {
        return segments.keys(kvHead);
    }

    @Override
    public ValueReader values(int kvHead) {
        return segments.values(kvHead);
    }

    @Override
    public Optional<WeightObserver> observer() {
        probes.expect(tail.size());
        sums.expect(size(), segments.sealed());
        return observer;
    }

    private boolean flushes(int count) {
        return (size() == 0 && count > 1)
                || tail.size() + count >= plan.layout().interval();
    }

    /** Tokens of the segment that a flush now would make. */
    private int flushed(int count) {
        return tail.size() + count + (plan.requantizesAll() ? segments.sealed() : 0);
    }

    private int flushedHigh(int count) {
        int high = plan.highSize(tail.size() + count);
        if (plan.requantizesAll()) {
            for (Segment segment : segments.list()) {
                high += segment.highTokens();
            }
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
                : wanted + segments.make(tokens, flushedHigh(count)).wantedBytes();
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
            Segment segment = segments.make(flushed(count), flushedHigh(count));
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
        Segment segment = coming;
        if (flushes(step.count()) && segment != null) {
            boolean[][] chosen = Salient.choose(plan, segments.sealed(), tail, step.count(), sums, probes);
            flush = new SegmentFlush(
                    plan.layout(), segment, plan.requantizesAll() ? segments.list() : List.of(), tail, step, chosen);
        } else {
            gather();
        }
    }

    /** Keeps what the step's probes gave to the step's own tokens, and counts the probes. */
    private void gather() {
        for (int t = 0; t < step.count(); t++) {
            for (int kvHead = 0; kvHead < step.kvHeads(); kvHead++) {
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
        return flush == null ? step.kvHeads() : flush.parts();
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
        Segment segment = coming;
        if (flush != null && segment != null) {
            segments.seal(segment, plan.requantizesAll());
            coming = null;
            flush = null;
        }
        dropComing();
        step.clear();
    }

    /** Segments stay, and so does what a probe gave: tokens since then can be taken back. */
    @Override
    public int smallestSize() {
        return segments.sealed() + tail.traced();
    }

    @Override
    public void truncate(int size) {
        dropComing();
        segments.truncate(size);
    }

    @Override
    public Footprint footprint() {
        Footprint sum = segments.footprint();
        return coming == null ? sum : sum.plus(coming.footprint());
    }

    @Override
    public ZipLayer fork() {
        return new ZipLayer(plan, segments.fork());
    }

    @Override
    public void write(DataOutput out) throws IOException {
        segments.write(out);
    }

    /** Requantized segments are joined from several, each rounded by itself, so their shares are not the plan's. */
    @Override
    public void read(DataInput in, int size) throws IOException {
        segments.read(
                in,
                size,
                plan.requantizesAll() ? tokens -> 0 : plan::highSize,
                plan.requantizesAll() ? tokens -> tokens : plan::highSize);
    }

    @Override
    public void release() {
        dropComing();
        segments.release();
    }
}
