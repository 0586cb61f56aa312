package dev.kvasir.cache.method.zipvl;

import dev.kvasir.cache.Footprint;
import dev.kvasir.cache.PagePool;
import dev.kvasir.cache.Queries;
import dev.kvasir.cache.TokenStates;
import dev.kvasir.cache.attention.SingleLayer;
import dev.kvasir.cache.attention.WeightObserver;
import dev.kvasir.cache.importance.ColumnSums;
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
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * One layer of ZipVL: segments as ZipCache's, with one set of important tokens for all heads whose size is measured, then the
 * tail.
 *
 * <p>A segment is made of the first step if it has several tokens, and whenever the tail would reach the interval. A prompt is
 * probed before it attends, and of its tokens only the important ones do. How large a segment gets is known only then, so the
 * bytes it may need at most stay claimed from {@link #reserve} to {@link #end}.
 */
final class VlLayer implements SingleLayer {
    private final VlPlan plan;
    private final PagePool pool;
    private final Segments segments;
    private final SegmentTail tail;
    private final VlProbes probes;
    private final ColumnSums sums;
    private final Optional<WeightObserver> observer;
    /** What probes gave to the tail in the step at hand, {@code [kvHeads][interval]}. */
    private final float[][] tailSums;

    private PagePool.@Nullable Claim claim;
    private long claimed;

    // The step at hand.
    private final StepRows step;
    private int count;
    private boolean sparse;
    private boolean[] chosen = {};
    private @Nullable SegmentFlush flush;
    private @Nullable Segment coming;

    VlLayer(VlPlan plan, PagePool pool, Kernels kernels) {
        this(plan, pool, new Segments(plan.layout(), pool, kernels));
    }

    private VlLayer(VlPlan plan, PagePool pool, Segments segments) {
        this.plan = plan;
        this.pool = pool;
        this.segments = segments;
        tail = segments.tail();
        int heads = plan.layout().shape().kvHeads();
        step = new StepRows(heads, plan.layout().shape().headDim());
        probes = plan.probes();
        tailSums = new float[heads][plan.layout().interval()];
        sums = new ColumnSums(heads, probes, (kvHead, slot, weights, offset, slots) -> {
            for (int i = 0; i < slots; i++) {
                tailSums[kvHead][slot - segments.sealed() + i] += weights[offset + i];
            }
        });
        observer = Optional.of(sums);
    }

    List<Segment> segments() {
        return segments.list();
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

    private boolean isPrompt(int tokens) {
        return (size() == 0 && tokens > 1) || tokens >= plan.layout().interval();
    }

    private boolean flushes(int tokens) {
        return isPrompt(tokens) || tail.size() + tokens >= plan.layout().interval();
    }

    @Override
    public void open(TokenStates states, Queries queries) {
        count = states.count();
        sparse = isPrompt(count) && plan.sparse() && count >= plan.minTokens();
        chosen = new boolean[0];
        probes.lastOnly(!isPrompt(count));
        for (float[] row : tailSums) {
            Arrays.fill(row, 0f);
        }
    }

    @Override
    public Optional<WeightObserver> observer() {
        sums.expect(size(), segments.sealed());
        return flushes(count) ? observer : Optional.empty();
    }

    @Override
    public boolean probes(int tokens) {
        return sparse;
    }

    @Override
    public int[] attending() {
        choose();
        int[] attending = new int[count];
        int size = 0;
        for (int t = 0; t < count; t++) {
            if (chosen[tail.size() + t]) {
                attending[size++] = t;
            }
        }
        return Arrays.copyOf(attending, size);
    }

    /** Chooses among the tail and the step's tokens. */
    private void choose() {
        int tokens = tail.size() + count;
        double[] columns = new double[tokens];
        int[] visible = new int[tokens];
        int after = 0;
        for (int i = tokens - 1; i >= 0; i--) {
            int own = i - tail.size();
            after += own >= 0 && probes.wants(own) ? 1 : 0;
            visible[i] = after;
            for (int kvHead = 0; kvHead < step.kvHeads(); kvHead++) {
                columns[i] += own < 0 ? tailSums[kvHead][i] : sums.own(kvHead, own);
            }
        }
        chosen = VlChoice.choose(columns, visible, VlChoice.budget(columns, plan.tau()), plan.forcesLast());
    }

    /** A segment may need this much: in each set, whole units more than its share. */
    private long largest(int tokens) {
        long most = 0;
        for (int high : new int[] {0, tokens / 2, tokens}) {
            most = Math.max(most, plan.layout().segment(tokens, high).total());
        }
        return most + plan.layout().segment(32, 16).total();
    }

    @Override
    public long wantedBytes(int tokens) {
        if (tokens == 0) {
            return 0;
        }
        if (!flushes(tokens)) {
            return tail.wantedBytes(tokens);
        }
        long most = largest(tail.size() + tokens);
        return claimed < most ? most : 0;
    }

    @Override
    public void reserve(int tokens, PagePool.Claim stepClaim) {
        if (tokens == 0) {
            return;
        }
        if (!flushes(tokens)) {
            tail.reserve(tokens, stepClaim);
            return;
        }
        long most = largest(tail.size() + tokens);
        if (claimed < most) {
            dropClaim();
            PagePool.Claim apart = pool.claim(0);
            stepClaim.move(most, apart);
            claim = apart;
            claimed = most;
        }
    }

    private void dropClaim() {
        if (claim != null) {
            claim.close();
            claim = null;
            claimed = 0;
        }
    }

    @Override
    public void begin(TokenStates states, Queries queries) {
        step.take(states, size());
        PagePool.Claim held = claim;
        if (!flushes(count) || held == null) {
            return;
        }
        if (chosen.length == 0) {
            choose();
        }
        int high = 0;
        for (boolean one : chosen) {
            high += one ? 1 : 0;
        }
        Segment segment = segments.make(chosen.length, high);
        segment.reserve(held);
        coming = segment;
        flush = new SegmentFlush(plan.layout(), segment, List.of(), tail, step, new boolean[][] {chosen});
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
        if (segment != null) {
            segments.seal(segment, false);
            coming = null;
            flush = null;
        }
        dropClaim();
        chosen = new boolean[0];
        step.clear();
    }

    /** Segments stay; tokens since then can be taken back. */
    @Override
    public int smallestSize() {
        return segments.sealed();
    }

    @Override
    public void truncate(int size) {
        dropClaim();
        segments.truncate(size);
    }

    @Override
    public Footprint footprint() {
        return segments.footprint();
    }

    @Override
    public VlLayer fork() {
        return new VlLayer(plan, pool, segments.fork());
    }

    @Override
    public void write(DataOutput out) throws IOException {
        segments.write(out);
    }

    @Override
    public void read(DataInput in, int size) throws IOException {
        segments.read(in, size, tokens -> 0, tokens -> tokens);
    }

    @Override
    public void release() {
        dropClaim();
        segments.release();
    }
}
