package dev.kvasir.cache.method.zipcache;

import dev.kvasir.cache.CacheFileException;
import dev.kvasir.cache.Footprint;
import dev.kvasir.cache.PagePool;
import dev.kvasir.cache.Queries;
import dev.kvasir.cache.TokenStates;
import dev.kvasir.cache.attention.SingleLayer;
import dev.kvasir.cache.attention.WeightObserver;
import dev.kvasir.cache.importance.ColumnSums;
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
    private final Kernels kernels;
    private final List<ZipSegment> segments = new ArrayList<>();
    private final ZipTail tail;
    private final VlProbes probes;
    private final ColumnSums sums;
    private final Optional<WeightObserver> observer;
    private final List<List<KeyReader>> keyParts = new ArrayList<>();
    private final List<List<ValueReader>> valueParts = new ArrayList<>();
    private final List<KeyChain> keys = new ArrayList<>();
    private final List<ValueChain> values = new ArrayList<>();
    /** What probes gave to the tail in the step at hand, {@code [kvHeads][interval]}. */
    private final float[][] tailSums;

    private int sealed;
    private PagePool.@Nullable Claim claim;
    private long claimed;

    // The step at hand.
    private final StepRows step;
    private int count;
    private boolean sparse;
    private boolean[] chosen = {};
    private @Nullable ZipFlush flush;
    private @Nullable ZipSegment coming;

    VlLayer(VlPlan plan, PagePool pool, Kernels kernels) {
        this(plan, pool, kernels, List.of(), new ZipTail(plan.zip(), pool, kernels));
    }

    private VlLayer(VlPlan plan, PagePool pool, Kernels kernels, List<ZipSegment> sealedSegments, ZipTail tail) {
        this.plan = plan;
        this.pool = pool;
        this.kernels = kernels;
        this.tail = tail;
        int heads = plan.zip().shape().kvHeads();
        int headDim = plan.zip().shape().headDim();
        step = new StepRows(heads, headDim);
        segments.addAll(sealedSegments);
        probes = plan.probes();
        tailSums = new float[heads][plan.zip().interval()];
        sums = new ColumnSums(heads, probes, (kvHead, slot, weights, offset, slots) -> {
            for (int i = 0; i < slots; i++) {
                tailSums[kvHead][slot - sealed + i] += weights[offset + i];
            }
        });
        observer = Optional.of(sums);
        for (int kvHead = 0; kvHead < heads; kvHead++) {
            keyParts.add(new ArrayList<>());
            valueParts.add(new ArrayList<>());
            keys.add(KeyChain.ofPlainQueries(headDim, keyParts.get(kvHead)));
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

    private boolean isPrompt(int tokens) {
        return (size() == 0 && tokens > 1) || tokens >= plan.zip().interval();
    }

    private boolean flushes(int tokens) {
        return isPrompt(tokens) || tail.size() + tokens >= plan.zip().interval();
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
        sums.expect(size(), sealed);
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
            for (int kvHead = 0; kvHead < keys.size(); kvHead++) {
                columns[i] += own < 0 ? tailSums[kvHead][i] : sums.own(kvHead, own);
            }
        }
        chosen = VlChoice.choose(columns, visible, VlChoice.budget(columns, plan.tau()), plan.forcesLast());
    }

    /** A segment may need this much: in each set, whole units more than its share. */
    private long largest(int tokens) {
        long most = 0;
        for (int high : new int[] {0, tokens / 2, tokens}) {
            most = Math.max(most, plan.zip().segment(tokens, high).total());
        }
        return most + plan.zip().segment(32, 16).total();
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
            claim = stepClaim.split(most);
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
        ZipSegment segment = new ZipSegment(plan.zip(), chosen.length, high, pool, kernels);
        segment.reserve(held);
        coming = segment;
        flush = new ZipFlush(plan.zip(), segment, List.of(), tail, step, new boolean[][] {chosen});
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
        if (segment != null) {
            segments.add(segment);
            tail.truncate(0);
            coming = null;
            flush = null;
            rechain();
        }
        dropClaim();
        chosen = new boolean[0];
        step.clear();
    }

    /** Segments stay; tokens since then can be taken back. */
    @Override
    public int smallestSize() {
        return sealed;
    }

    @Override
    public void truncate(int size) {
        dropClaim();
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
        return sum;
    }

    @Override
    public VlLayer fork() {
        return new VlLayer(
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
        int number = bounded("segments", in.readInt(), 0, size);
        int left = size;
        for (int i = 0; i < number; i++) {
            int tokens = bounded("tokens of a segment", in.readInt(), 1, Math.min(left, Integer.MAX_VALUE / 2));
            int high = bounded("important tokens", in.readInt(), 0, tokens);
            ZipSegment segment = new ZipSegment(plan.zip(), tokens, high, pool, kernels);
            segments.add(segment);
            segment.read(in);
            left -= tokens;
        }
        tail.read(in, bounded("tokens after the segments", left, 0, plan.zip().interval() - 1));
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
        dropClaim();
        segments.forEach(ZipSegment::release);
        segments.clear();
        tail.release();
        rechain();
    }
}
