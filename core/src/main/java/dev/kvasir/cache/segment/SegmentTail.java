package dev.kvasir.cache.segment;

import dev.kvasir.cache.CacheFileException;
import dev.kvasir.cache.Footprint;
import dev.kvasir.cache.PagePool;
import dev.kvasir.cache.importance.StepRows;
import dev.kvasir.cache.kernel.Element;
import dev.kvasir.cache.kernel.Kernels;
import dev.kvasir.cache.store.ExactKeys;
import dev.kvasir.cache.store.ExactValues;
import dev.kvasir.cache.store.Scratch;
import dev.kvasir.cache.store.TokenNumbers;
import java.io.DataInput;
import java.io.DataOutput;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;

/**
 * The newest tokens of a layer, exact until there are enough for a segment, and what probes gave them so far.
 *
 * <pre>
 *   numbers = sums, floats [kvHeads][interval] | probes that saw the token, ints [interval]      in one page
 * </pre>
 */
public final class SegmentTail {
    private final SegmentLayout layout;
    private final List<ExactKeys> keys;
    private final List<ExactValues> values;
    private final TokenNumbers numbers;
    /** Tokens up to the last probe among them: what they were given stays with those before. */
    private int traced;

    SegmentTail(SegmentLayout layout, PagePool pool, Kernels kernels) {
        this(layout, new ArrayList<>(), new ArrayList<>(), new TokenNumbers(pool, Math.max(1, layout.tailNumbers())));
        int d = layout.shape().headDim();
        // The values' capacity only says that they are a window; it is never reached.
        int capacity = Math.ceilDiv(layout.interval(), SegmentLayout.TAIL_PAGE) * SegmentLayout.TAIL_PAGE;
        for (int kvHead = 0; kvHead < layout.shape().kvHeads(); kvHead++) {
            keys.add(new ExactKeys(pool, kernels, Element.F16, d, SegmentLayout.TAIL_PAGE, true));
            values.add(new ExactValues(pool, kernels, Element.F16, d, SegmentLayout.TAIL_PAGE, capacity));
        }
    }

    private SegmentTail(SegmentLayout layout, List<ExactKeys> keys, List<ExactValues> values, TokenNumbers numbers) {
        this.layout = layout;
        this.keys = keys;
        this.values = values;
        this.numbers = numbers;
    }

    public int size() {
        return keys.getFirst().size();
    }

    /** Tokens that cannot be forgotten without a trace. */
    public int traced() {
        return traced;
    }

    public ExactKeys keys(int kvHead) {
        return keys.get(kvHead);
    }

    public ExactValues values(int kvHead) {
        return values.get(kvHead);
    }

    private int missing() {
        return layout.tailNumbers() - numbers.size();
    }

    /** Bytes for {@code count} more tokens; with 0, for what probes give to those here. */
    public long wantedBytes(int count) {
        long wanted = numbers.wantedBytes(missing(), true);
        for (int kvHead = 0; kvHead < keys.size(); kvHead++) {
            wanted += keys.get(kvHead).wantedBytes(count) + values.get(kvHead).wantedBytes(count);
        }
        return wanted;
    }

    public void reserve(int count, PagePool.Claim claim) {
        numbers.reserve(missing(), true, claim);
        for (int kvHead = 0; kvHead < keys.size(); kvHead++) {
            keys.get(kvHead).reserve(count, claim);
            values.get(kvHead).reserve(count, claim);
        }
        for (int i = missing(); i > 0; i--) {
            numbers.append(0);
        }
    }

    /** Adds what probes gave to {@code count} tokens from {@code token} on. */
    public void add(int kvHead, int token, float[] weights, int offset, int count) {
        numbers.add(kvHead * layout.interval() + token, weights, offset, count);
    }

    public float sum(int kvHead, int token) {
        return numbers.decimal(kvHead * layout.interval() + token);
    }

    /** Probes that saw a token. */
    public int seen(int token) {
        return numbers.number(layout.shape().kvHeads() * layout.interval() + token);
    }

    private void seen(int token, int probes) {
        numbers.set(layout.shape().kvHeads() * layout.interval() + token, probes);
    }

    /** Makes place for the sums of a token that comes. */
    public void open(int token, int kvHead, float sum) {
        numbers.set(kvHead * layout.interval() + token, sum);
        if (kvHead == 0) {
            seen(token, 0);
        }
    }

    /** Counts a probe: the token at {@code token} saw itself and all before. */
    public void probe(int token) {
        for (int i = 0; i <= token; i++) {
            seen(i, seen(i) + 1);
        }
        traced = token + 1;
    }

    public void append(int kvHead, StepRows step, Scratch scratch) {
        int stride = step.kvHeads() * step.headDim();
        int at = step.at(kvHead, 0);
        keys.get(kvHead).append(step.keys(), at, stride, step.count(), scratch);
        values.get(kvHead).append(step.values(), at, stride, step.count(), scratch);
    }

    void truncate(int size) {
        keys.forEach(head -> head.truncate(size));
        values.forEach(head -> head.truncate(size));
        traced = Math.min(traced, size);
        if (size == 0) {
            numbers.release();
        }
    }

    /** Exact tokens are a window, sums and counts are indices. */
    Footprint footprint() {
        Footprint sum = new Footprint(0, 0, 0, numbers.bytes(), 0);
        for (int kvHead = 0; kvHead < keys.size(); kvHead++) {
            sum = sum.plus(keys.get(kvHead).footprint()).plus(values.get(kvHead).footprint());
        }
        return sum;
    }

    SegmentTail fork() {
        SegmentTail fork = new SegmentTail(layout, new ArrayList<>(), new ArrayList<>(), numbers.fork());
        keys.forEach(head -> fork.keys.add(head.fork()));
        values.forEach(head -> fork.values.add(head.fork()));
        fork.traced = traced;
        return fork;
    }

    void write(DataOutput out) throws IOException {
        out.writeInt(traced);
        if (size() > 0) {
            numbers.write(out);
        }
        for (int kvHead = 0; kvHead < keys.size(); kvHead++) {
            keys.get(kvHead).write(out);
            values.get(kvHead).write(out);
        }
    }

    void read(DataInput in, int size) throws IOException {
        traced = in.readInt();
        if (traced < 0 || traced > size) {
            throw new CacheFileException("tail's last probe: found " + traced + ", allowed are 0 to " + size);
        }
        // A plan whose tail gathers nothing has no numbers.
        if (size > 0 && layout.tailNumbers() > 0) {
            numbers.read(in, layout.tailNumbers());
            check(size);
        }
        for (int kvHead = 0; kvHead < keys.size(); kvHead++) {
            keys.get(kvHead).read(in, size);
            values.get(kvHead).read(in, size);
        }
    }

    private void check(int size) {
        for (int token = 0; token < size; token++) {
            if (seen(token) < 0 || seen(token) > layout.interval()) {
                throw new CacheFileException(
                        "probes that saw a token: found " + seen(token) + ", allowed are 0 to " + layout.interval());
            }
            for (int kvHead = 0; kvHead < keys.size(); kvHead++) {
                if (!(sum(kvHead, token) >= 0)) {
                    throw new CacheFileException(
                            "sum of a token is " + sum(kvHead, token) + ", allowed are numbers of at least 0");
                }
            }
        }
    }

    void release() {
        truncate(0);
    }
}
