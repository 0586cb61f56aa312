package dev.kvasir.cache.method.zipcache;

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
final class ZipTail {
    private final ZipPlan plan;
    private final List<ExactKeys> keys;
    private final List<ExactValues> values;
    private final TokenNumbers numbers;
    /** Tokens up to the last probe among them: what they were given stays with those before. */
    private int traced;

    ZipTail(ZipPlan plan, PagePool pool, Kernels kernels) {
        this(plan, new ArrayList<>(), new ArrayList<>(), new TokenNumbers(pool, Math.max(1, plan.tailNumbers())));
        int d = plan.shape().headDim();
        // The values' capacity only says that they are a window; it is never reached.
        int capacity = Math.ceilDiv(plan.interval(), ZipPlan.TAIL_PAGE) * ZipPlan.TAIL_PAGE;
        for (int kvHead = 0; kvHead < plan.shape().kvHeads(); kvHead++) {
            keys.add(new ExactKeys(pool, kernels, Element.F16, d, ZipPlan.TAIL_PAGE, true));
            values.add(new ExactValues(pool, kernels, Element.F16, d, ZipPlan.TAIL_PAGE, capacity));
        }
    }

    private ZipTail(ZipPlan plan, List<ExactKeys> keys, List<ExactValues> values, TokenNumbers numbers) {
        this.plan = plan;
        this.keys = keys;
        this.values = values;
        this.numbers = numbers;
    }

    int size() {
        return keys.getFirst().size();
    }

    /** Tokens that cannot be forgotten without a trace. */
    int traced() {
        return traced;
    }

    ExactKeys keys(int kvHead) {
        return keys.get(kvHead);
    }

    ExactValues values(int kvHead) {
        return values.get(kvHead);
    }

    private int missing() {
        return plan.tailNumbers() - numbers.size();
    }

    /** Bytes for {@code count} more tokens; with 0, for what probes give to those here. */
    long wantedBytes(int count) {
        long wanted = numbers.wantedBytes(missing(), true);
        for (int kvHead = 0; kvHead < keys.size(); kvHead++) {
            wanted += keys.get(kvHead).wantedBytes(count) + values.get(kvHead).wantedBytes(count);
        }
        return wanted;
    }

    void reserve(int count, PagePool.Claim claim) {
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
    void add(int kvHead, int token, float[] weights, int offset, int count) {
        numbers.add(kvHead * plan.interval() + token, weights, offset, count);
    }

    float sum(int kvHead, int token) {
        return numbers.decimal(kvHead * plan.interval() + token);
    }

    /** Probes that saw a token. */
    int seen(int token) {
        return numbers.number(plan.shape().kvHeads() * plan.interval() + token);
    }

    private void seen(int token, int probes) {
        numbers.set(plan.shape().kvHeads() * plan.interval() + token, probes);
    }

    /** Makes place for the sums of a token that comes. */
    void open(int token, int kvHead, float sum) {
        numbers.set(kvHead * plan.interval() + token, sum);
        if (kvHead == 0) {
            seen(token, 0);
        }
    }

    /** Counts a probe: the token at {@code token} saw itself and all before. */
    void probe(int token) {
        for (int i = 0; i <= token; i++) {
            seen(i, seen(i) + 1);
        }
        traced = token + 1;
    }

    void append(int kvHead, StepRows step, Scratch scratch) {
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

    ZipTail fork() {
        ZipTail fork = new ZipTail(plan, new ArrayList<>(), new ArrayList<>(), numbers.fork());
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
        if (size > 0 && plan.tailNumbers() > 0) {
            numbers.read(in, plan.tailNumbers());
            check(size);
        }
        for (int kvHead = 0; kvHead < keys.size(); kvHead++) {
            keys.get(kvHead).read(in, size);
            values.get(kvHead).read(in, size);
        }
    }

    private void check(int size) {
        for (int token = 0; token < size; token++) {
            if (seen(token) < 0 || seen(token) > plan.interval()) {
                throw new CacheFileException(
                        "probes that saw a token: found " + seen(token) + ", allowed are 0 to " + plan.interval());
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
