package dev.kvasir.cache.importance;

import dev.kvasir.cache.CacheFileException;
import dev.kvasir.cache.Footprint;
import dev.kvasir.cache.PagePool;
import dev.kvasir.cache.store.KeyChain;
import dev.kvasir.cache.store.KeyReader;
import dev.kvasir.cache.store.RowKeys;
import dev.kvasir.cache.store.Scratch;
import dev.kvasir.cache.store.TokenNumbers;
import dev.kvasir.cache.store.ValueChain;
import dev.kvasir.cache.store.ValueReader;
import java.io.DataInput;
import java.io.DataOutput;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.List;
import java.util.Optional;
import java.util.function.UnaryOperator;

/**
 * The tokens of one KV head in two tiers: the important ones in the high tier, all others in the low tier, or nowhere if
 * there is none. Tokens leave the high tier for good, those of the lowest score first; of equal scores the older first.
 *
 * <pre>
 *   slots = low tier, in the order of arrival | high tier, in any order
 * </pre>
 *
 * A token that comes takes the place of one that leaves, so nothing else moves. The high tier never shrinks.
 */
public final class Tiers {
    /** Entries kept between steps. */
    private static final int KEPT = 64;

    private final int headDim;
    private final TokenTier high;
    private final Optional<TokenTier> low;
    private final TokenNumbers scores;
    private final TierWriter toHigh;
    private final Optional<TierWriter> toLow;
    private final KeyChain keys;
    private final ValueChain values;
    /** Tokens that leave the high tier, as position and slot, in the order of positions. */
    private long[] leavers = new long[1];

    private int leaverCount;

    /**
     * Empty tiers.
     *
     * @param low empty if tokens that leave are dropped
     * @param scores of the tokens of the high tier; floats of at least 0
     */
    public Tiers(int headDim, TokenTier high, Optional<TokenTier> low, TokenNumbers scores) {
        this.headDim = headDim;
        this.high = high;
        this.low = low;
        this.scores = scores;
        toHigh = new TierWriter(high, headDim);
        toLow = low.map(tier -> new TierWriter(tier, headDim));
        List<KeyReader> keyParts = new ArrayList<>();
        List<ValueReader> valueParts = new ArrayList<>();
        low.ifPresent(tier -> keyParts.add(tier.keys()));
        low.ifPresent(tier -> valueParts.add(tier.values()));
        keyParts.add(high.keys());
        valueParts.add(high.values());
        keys = new KeyChain(headDim, keyParts);
        values = new ValueChain(valueParts);
    }

    /** Keys of all slots. */
    public KeyReader keys() {
        return keys;
    }

    /** Values of all slots. */
    public ValueReader values() {
        return values;
    }

    /** The important tokens. */
    public TokenTier high() {
        return high;
    }

    /** The others. */
    public Optional<TokenTier> low() {
        return low;
    }

    /** Slots of the low tier: the first of the high tier's. */
    public int lowSize() {
        return low.isPresent() ? low.get().size() : 0;
    }

    /** Slots in use. */
    public int size() {
        return lowSize() + high.size();
    }

    /** The score of a token of the high tier. */
    public float score(int slot) {
        return scores.decimal(slot);
    }

    /** Adds the weights that {@code count} tokens of the high tier, from slot {@code slot} of all slots on, were given. */
    public void observe(int slot, float[] weights, int offset, int count) {
        scores.add(slot - lowSize(), weights, offset, count);
    }

    /** Tokens that the high tier gains when {@code tokens} come and it may hold {@code highSize}. */
    private int gain(int tokens, int highSize) {
        return Math.clamp(highSize - high.size(), 0, tokens);
    }

    /** Bytes that {@link #reserve} would take. */
    public long wantedBytes(int tokens, int highSize) {
        int gain = gain(tokens, highSize);
        boolean leave = gain < tokens;
        long wanted = high.wantedBytes(gain, leave) + scores.wantedBytes(gain, true);
        return low.isPresent() ? wanted + low.get().wantedBytes(tokens - gain, false) : wanted;
    }

    /** Makes room for {@code tokens} more where the high tier may hold {@code highSize}; what follows allocates no page. */
    public void reserve(int tokens, int highSize, PagePool.Claim claim) {
        int gain = gain(tokens, highSize);
        boolean leave = gain < tokens;
        high.reserve(gain, leave, claim);
        scores.reserve(gain, true, claim);
        if (low.isPresent()) {
            low.get().reserve(tokens - gain, false, claim);
        }
    }

    /**
     * Takes in the tokens of a step, for which room was reserved.
     *
     * @param sums of the weights that the step gave to its own tokens
     * @param highSize tokens that the high tier may hold
     * @param recent newest tokens that do not leave it, at most {@code highSize}
     */
    public void admit(StepRows step, int kvHead, ColumnSums sums, int highSize, int recent, Scratch scratch) {
        int leaving = step.count() - gain(step.count(), highSize);
        long last = -1;
        leaverCount = 0;
        if (leaving > 0) {
            int exempt = step.first() + step.count() - recent;
            last = leaving == 1 ? lowest(step, kvHead, sums, exempt) : lowest(leaving, step, kvHead, sums, exempt);
            collectLeavers(last, exempt);
            retire(scratch);
            for (int t = 0; t < step.count(); t++) {
                if (leaves(sums.own(kvHead, t), step.first() + t, last, exempt)) {
                    demote(step, kvHead, t, scratch);
                }
            }
            if (toLow.isPresent()) {
                toLow.get().flush(scratch);
            }
            settle(step, kvHead, sums, last, exempt, scratch);
        } else {
            settle(step, kvHead, sums, last, 0, scratch);
        }
        if (leavers.length > KEPT) {
            leavers = new long[KEPT];
        }
    }

    /** Orders tokens by score, then by position. */
    private static long rank(float score, int position) {
        return ((long) Float.floatToRawIntBits(score) << 32) | position;
    }

    private static boolean leaves(float score, int position, long last, int exempt) {
        return position < exempt && rank(score, position) <= last;
    }

    /** The lowest rank of all tokens that may leave. */
    private long lowest(StepRows step, int kvHead, ColumnSums sums, int exempt) {
        long lowest = Long.MAX_VALUE;
        for (int slot = 0; slot < high.size(); slot++) {
            float score = scores.decimal(slot);
            // Most need no look at their position.
            if (rank(score, 0) <= lowest && high.position(slot) < exempt) {
                lowest = Math.min(lowest, rank(score, high.position(slot)));
            }
        }
        for (int t = 0; t < step.count() && step.first() + t < exempt; t++) {
            lowest = Math.min(lowest, rank(sums.own(kvHead, t), step.first() + t));
        }
        return lowest;
    }

    /** The {@code leaving}th lowest rank of all tokens that may leave. */
    private long lowest(int leaving, StepRows step, int kvHead, ColumnSums sums, int exempt) {
        long[] ranks = new long[high.size() + step.count()];
        int count = 0;
        for (int slot = 0; slot < high.size(); slot++) {
            if (high.position(slot) < exempt) {
                ranks[count++] = rank(scores.decimal(slot), high.position(slot));
            }
        }
        for (int t = 0; t < step.count() && step.first() + t < exempt; t++) {
            ranks[count++] = rank(sums.own(kvHead, t), step.first() + t);
        }
        Arrays.sort(ranks, 0, count);
        return ranks[leaving - 1];
    }

    private void collectLeavers(long last, int exempt) {
        for (int slot = 0; slot < high.size(); slot++) {
            float score = scores.decimal(slot);
            if (rank(score, 0) <= last && leaves(score, high.position(slot), last, exempt)) {
                if (leaverCount == leavers.length) {
                    leavers = Arrays.copyOf(leavers, 2 * leaverCount);
                }
                leavers[leaverCount++] = ((long) high.position(slot) << 32) | slot;
            }
        }
        Arrays.sort(leavers, 0, leaverCount);
    }

    /** Brings the tokens that leave the high tier to the low one. */
    private void retire(Scratch scratch) {
        if (toLow.isEmpty()) {
            return;
        }
        TierWriter writer = toLow.get();
        for (int i = 0; i < leaverCount; i++) {
            int slot = (int) leavers[i];
            int key = writer.key(scratch);
            high.keys().row(slot, writer.rows(), key, scratch);
            high.values().row(slot, writer.rows(), writer.value(), scratch);
            writer.add(high.position(slot), scratch);
        }
    }

    /** Brings a token of the step straight to the low tier. */
    private void demote(StepRows step, int kvHead, int token, Scratch scratch) {
        if (toLow.isPresent()) {
            copy(step, kvHead, token, toLow.get(), scratch);
        }
    }

    private void copy(StepRows step, int kvHead, int token, TierWriter writer, Scratch scratch) {
        int at = step.at(kvHead, token);
        int key = writer.key(scratch);
        System.arraycopy(step.keys(), at, writer.rows(), key, headDim);
        System.arraycopy(step.values(), at, writer.rows(), writer.value(), headDim);
        writer.add(step.first() + token, scratch);
    }

    /** Brings the step's important tokens to the high tier: to the places of those that left, then to its end. */
    private void settle(StepRows step, int kvHead, ColumnSums sums, long last, int exempt, Scratch scratch) {
        int place = 0;
        for (int t = 0; t < step.count(); t++) {
            float score = sums.own(kvHead, t);
            int position = step.first() + t;
            if (leaves(score, position, last, exempt)) {
                continue;
            }
            if (place < leaverCount) {
                int slot = (int) leavers[place++];
                high.keys().replace(slot, step.keys(), step.at(kvHead, t), scratch);
                high.values().replace(slot, step.values(), step.at(kvHead, t), scratch);
                high.positions().set(slot, position);
                scores.set(slot, score);
            } else {
                copy(step, kvHead, t, toHigh, scratch);
                scores.append(score);
            }
        }
        toHigh.flush(scratch);
    }

    /** Forgets the newest tokens, where none has left its tier: all are in the order of positions. */
    public void truncate(int lowSize, int highSize) {
        low.ifPresent(tier -> tier.truncate(lowSize));
        high.truncate(highSize);
        scores.truncate(highSize);
    }

    /** Bytes held; positions and scores are indices. */
    public Footprint footprint() {
        Footprint sum = high.footprint().plus(new Footprint(0, 0, 0, scores.bytes(), 0));
        return low.isPresent() ? sum.plus(low.get().footprint()) : sum;
    }

    /** Tiers with the same content, which share pages; keys are forked by {@code keyFork}. */
    public Tiers fork(UnaryOperator<RowKeys> keyFork) {
        return new Tiers(headDim, high.fork(keyFork), low.map(tier -> tier.fork(keyFork)), scores.fork());
    }

    /** Writes what {@link #read} needs. */
    public void write(DataOutput out) throws IOException {
        if (low.isPresent()) {
            low.get().write(out);
        }
        high.write(out);
        scores.write(out);
    }

    /**
     * Fills empty tiers with what {@link #write} wrote.
     *
     * @param tokens seen, in whose positions each token must be once
     */
    public void read(DataInput in, int lowSize, int highSize, int tokens) throws IOException {
        if (low.isPresent()) {
            low.get().read(in, lowSize);
        }
        high.read(in, highSize);
        scores.read(in, highSize);
        BitSet seen = new BitSet();
        if (low.isPresent()) {
            checkPositions(low.get(), seen, tokens);
        }
        checkPositions(high, seen, tokens);
        for (int slot = 0; slot < highSize; slot++) {
            if (!(scores.decimal(slot) >= 0)) {
                throw new CacheFileException("score of slot " + slot + " is " + scores.decimal(slot)
                        + ", allowed are numbers of at least 0");
            }
        }
    }

    private static void checkPositions(TokenTier tier, BitSet seen, int tokens) throws CacheFileException {
        for (int slot = 0; slot < tier.size(); slot++) {
            int position = tier.position(slot);
            if (position < 0 || position >= tokens || seen.get(position)) {
                throw new CacheFileException("position of slot " + slot + " is " + position + ", allowed are 0 to "
                        + (tokens - 1) + ", each once");
            }
            seen.set(position);
        }
    }

    /** Gives all pages back. */
    public void release() {
        low.ifPresent(TokenTier::release);
        high.release();
        scores.release();
    }
}
