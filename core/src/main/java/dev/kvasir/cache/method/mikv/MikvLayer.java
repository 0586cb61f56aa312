package dev.kvasir.cache.method.mikv;

import dev.kvasir.cache.CacheFileException;
import dev.kvasir.cache.Footprint;
import dev.kvasir.cache.PagePool;
import dev.kvasir.cache.Queries;
import dev.kvasir.cache.TokenStates;
import dev.kvasir.cache.attention.SingleLayer;
import dev.kvasir.cache.attention.WeightObserver;
import dev.kvasir.cache.importance.ColumnSums;
import dev.kvasir.cache.importance.RowFilter;
import dev.kvasir.cache.importance.StepRows;
import dev.kvasir.cache.importance.Tiers;
import dev.kvasir.cache.kernel.Kernels;
import dev.kvasir.cache.store.KeyReader;
import dev.kvasir.cache.store.Scratch;
import dev.kvasir.cache.store.ValueReader;
import java.io.DataInput;
import java.io.DataOutput;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * One layer of MiKV: two tiers for each KV head, of the same sizes but each with tokens of its own, and the balancer that
 * the first step fixed. A step attends first; then its tokens join the important ones and the least important leave.
 */
final class MikvLayer implements SingleLayer {
    private static final float[] NONE = {};

    private final MikvPlan plan;
    private final Balancer balancer;
    private final List<Tiers> heads;
    private final ColumnSums sums;
    /** Nobody looks where scores decide nothing. */
    private final Optional<WeightObserver> observer;

    private int tokens;
    /** Tokens of the first step. */
    private int first;
    /** Tokens seen when the latest step of several tokens ended. */
    private int prompt;

    // The step at hand.
    private final StepRows step;
    private float[] queries = NONE;

    MikvLayer(MikvPlan plan, PagePool pool, Kernels kernels) {
        this(plan, new Balancer(plan.shape(), pool), new ArrayList<>());
        for (int kvHead = 0; kvHead < plan.shape().kvHeads(); kvHead++) {
            heads.add(plan.tiers(kvHead, balancer, pool, kernels));
        }
    }

    private MikvLayer(MikvPlan plan, Balancer balancer, List<Tiers> heads) {
        this.plan = plan;
        this.balancer = balancer;
        this.heads = heads;
        step = new StepRows(plan.shape().kvHeads(), plan.shape().headDim());
        sums = new ColumnSums(
                plan.shape().kvHeads(),
                RowFilter.ALL,
                (kvHead, slot, weights, offset, count) -> heads.get(kvHead).observe(slot, weights, offset, count));
        observer = plan.keepsAll() || plan.keepsNone() ? Optional.empty() : Optional.of(sums);
    }

    /** The tiers of one head. */
    Tiers head(int kvHead) {
        return heads.get(kvHead);
    }

    /** The factors of the layer's keys. */
    Balancer balancer() {
        return balancer;
    }

    @Override
    public int size() {
        return heads.getFirst().size();
    }

    @Override
    public KeyReader keys(int kvHead) {
        return heads.get(kvHead).keys();
    }

    @Override
    public ValueReader values(int kvHead) {
        return heads.get(kvHead).values();
    }

    @Override
    public Optional<WeightObserver> observer() {
        sums.expect(tokens, heads.getFirst().lowSize());
        return observer;
    }

    private int promptAfter(int count) {
        return count > 1 || tokens == 0 ? tokens + count : prompt;
    }

    private int highSizeAfter(int count) {
        return plan.highSize(tokens + count, promptAfter(count));
    }

    @Override
    public long wantedBytes(int count) {
        if (count == 0) {
            return 0;
        }
        long wanted = plan.balances() ? balancer.wantedBytes() : 0;
        int highSize = highSizeAfter(count);
        for (int i = 0; i < heads.size(); i++) {
            wanted += heads.get(i).wantedBytes(count, highSize);
        }
        return wanted;
    }

    @Override
    public void reserve(int count, PagePool.Claim claim) {
        if (count == 0) {
            return;
        }
        if (plan.balances()) {
            balancer.reserve(claim);
        }
        int highSize = highSizeAfter(count);
        for (int i = 0; i < heads.size(); i++) {
            heads.get(i).reserve(count, highSize, claim);
        }
    }

    @Override
    public void begin(TokenStates states, Queries stepQueries) {
        step.take(states, tokens);
        queries = stepQueries.queries();
        if (observer.isEmpty()) {
            sums.begin(size(), step.count());
        }
        if (tokens == 0 && plan.balances()) {
            balancer.clear();
        }
    }

    @Override
    public int appendParts() {
        return heads.size();
    }

    @Override
    public void append(int kvHead, Scratch scratch) {
        if (tokens == 0 && step.count() > 1 && plan.balances()) {
            balancer.measure(kvHead, step.keys(), queries, step.count());
        }
        int highSize = highSizeAfter(step.count());
        heads.get(kvHead).admit(step, kvHead, sums, highSize, plan.recentSize(highSize), scratch);
    }

    @Override
    public void end() {
        int count = step.count();
        prompt = promptAfter(count);
        first = tokens == 0 ? count : first;
        tokens += count;
        step.clear();
        queries = NONE;
    }

    /**
     * What was demoted does not come back, and scores do not forget who gave them. Only where all tokens are in one tier for
     * ever can tokens be taken back; those that b was made from stay where codes depend on it.
     */
    @Override
    public int smallestSize() {
        if (plan.keepsAll()) {
            return plan.importantAreBalanced() ? first : 0;
        }
        if (plan.keepsNone()) {
            return plan.balances() ? first : 0;
        }
        return tokens;
    }

    @Override
    public void truncate(int size) {
        if (size == tokens) {
            return;
        }
        for (Tiers head : heads) {
            head.truncate(plan.keepsAll() ? 0 : size, plan.keepsAll() ? size : 0);
        }
        if (size == 0) {
            balancer.release();
        }
        tokens = size;
        first = Math.min(first, size);
        prompt = Math.min(prompt, size);
    }

    @Override
    public Footprint footprint() {
        Footprint sum = new Footprint(0, 0, 0, 0, balancer.bytes());
        for (Tiers head : heads) {
            sum = sum.plus(head.footprint());
        }
        return sum;
    }

    @Override
    public MikvLayer fork() {
        Balancer forked = balancer.fork();
        List<Tiers> tiers = new ArrayList<>();
        for (Tiers head : heads) {
            tiers.add(head.fork(keys -> keys instanceof BalancedKeys balanced ? balanced.fork(forked) : keys.fork()));
        }
        MikvLayer fork = new MikvLayer(plan, forked, tiers);
        fork.tokens = tokens;
        fork.first = first;
        fork.prompt = prompt;
        return fork;
    }

    @Override
    public void write(DataOutput out) throws IOException {
        out.writeInt(first);
        out.writeInt(prompt);
        out.writeInt(heads.getFirst().high().size());
        if (plan.balances() && tokens > 0) {
            balancer.write(out);
        }
        for (Tiers head : heads) {
            head.write(out);
        }
    }

    @Override
    public void read(DataInput in, int size) throws IOException {
        first = bounded("first step", in.readInt(), Math.min(1, size), size);
        prompt = bounded("prompt", in.readInt(), first, size);
        int most = plan.highSize(size, prompt);
        int high = bounded("important tokens", in.readInt(), 0, most);
        if (plan.sharesLength() && high != most) {
            throw new CacheFileException("important tokens: found " + high + ", expected " + most);
        }
        if (plan.balances() && size > 0) {
            balancer.read(in);
        }
        for (Tiers head : heads) {
            head.read(in, size - high, high, size);
        }
        tokens = size;
    }

    private static int bounded(String what, int found, int from, int to) {
        if (found < from || found > to) {
            throw new CacheFileException(what + ": found " + found + ", allowed are " + from + " to " + to);
        }
        return found;
    }

    @Override
    public void release() {
        balancer.release();
        heads.forEach(Tiers::release);
    }
}
