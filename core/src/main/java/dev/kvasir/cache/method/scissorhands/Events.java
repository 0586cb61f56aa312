package dev.kvasir.cache.method.scissorhands;

import dev.kvasir.cache.TokenStates;
import dev.kvasir.cache.attention.WeightObserver;
import dev.kvasir.cache.selection.HeadTokens;
import dev.kvasir.cache.store.Scratch;
import dev.kvasir.cache.store.TokenNumbers;
import java.util.Arrays;
import java.util.List;

/**
 * Notes which tokens get less attention than the average, row by row (arXiv 2305.17118, section 3): a weight is below {@code
 * 1 / n} where its score is below {@code logSum - ln n}, so no weight is ever made.
 *
 * <pre>
 *   counter: a token's events in the window
 *   ring:    a bit for each row of the window, at its position modulo the window; a ring for each query head
 * </pre>
 */
final class Events implements WeightObserver {
    private final List<HeadTokens> heads;
    private final ScissorPlan plan;
    private final int group;
    private final int numbers;
    /** Of a step's own tokens, {@code [kvHeads][count][numbers]}. */
    private final int[][] own;
    /** Whether all query heads of a row so far had each slot of a tile below their average: {@code [kvHeads][tile]}. */
    private final boolean[][] agreed;

    private int first;
    private int count;
    private int stored;
    /** First token of the step that counts, where only the end of a prompt does. */
    private int from;

    Events(List<HeadTokens> heads, ScissorPlan plan, int group) {
        this.heads = heads;
        this.plan = plan;
        this.group = group;
        this.numbers = plan.numbers(group);
        this.own = new int[heads.size()][0];
        this.agreed = new boolean[heads.size()][0];
    }

    /** A step comes. */
    void open(TokenStates states) {
        first = states.firstPosition();
        count = states.count();
        stored = heads.get(0).stored();
        from = 0;
        if (plan.dense() && count > 1 && stored + count >= plan.budget()) {
            // One decision about the whole prompt, by its last rows alone.
            from = Math.max(0, count - plan.window());
            for (HeadTokens head : heads) {
                clear(head.history());
            }
        }
    }

    /** Forgets what was noted of stored tokens. */
    static void clear(TokenNumbers history) {
        for (int i = 0; i < history.size(); i++) {
            history.set(i, 0);
        }
    }

    /** Whether a row of the step counts. */
    boolean counts() {
        return wants(count - 1);
    }

    @Override
    public void begin(int storedSlots, int tokens) {
        for (int h = 0; h < own.length; h++) {
            if (own[h].length < tokens * numbers) {
                own[h] = new int[tokens * numbers];
            }
            Arrays.fill(own[h], 0, tokens * numbers, 0);
        }
    }

    @Override
    public boolean wants(int token) {
        return token >= from && plan.counts(stored + token + 1);
    }

    @Override
    public int toSlot() {
        return stored;
    }

    @Override
    public void observe(int kvHead, int token, float[] weights, int offset, int slot, int slots) {
        throw new IllegalStateException("scores were asked for");
    }

    @Override
    public boolean wantsScores() {
        return true;
    }

    @Override
    public void observeScores(
            int kvHead, int queryHead, int token, float[] scores, int offset, int slot, int slots, float logSum) {
        int visible = plan.ofSeen() ? first + token + 1 : stored + token + 1;
        float average = logSum - (float) Math.log(visible);
        if (plan.any()) {
            boolean[] all = agreed(kvHead, slots);
            for (int i = 0; i < slots; i++) {
                all[i] = (queryHead == 0 || all[i]) && scores[offset + i] < average;
                if (queryHead == group - 1) {
                    note(kvHead, slot + i, 0, token, all[i]);
                }
            }
            return;
        }
        for (int i = 0; i < slots; i++) {
            note(kvHead, slot + i, queryHead, token, scores[offset + i] < average);
        }
    }

    private boolean[] agreed(int kvHead, int slots) {
        if (agreed[kvHead].length < slots) {
            agreed[kvHead] = new boolean[Math.max(slots, Scratch.TILE)];
        }
        return agreed[kvHead];
    }

    /** Notes whether a row had a slot below its average. */
    private void note(int kvHead, int slot, int ring, int token, boolean below) {
        int bit = (first + token) % plan.window();
        int at = plan.ring() ? ring * plan.words() + bit / Integer.SIZE : 0;
        if (slot >= stored) {
            int i = (slot - stored) * numbers + at;
            own[kvHead][i] = after(own[kvHead][i], bit, below);
        } else {
            TokenNumbers history = heads.get(kvHead).history();
            int i = slot * numbers + at;
            history.set(i, after(history.number(i), bit, below));
        }
    }

    private int after(int before, int bit, boolean below) {
        if (!plan.ring()) {
            return below ? before + 1 : before;
        }
        int mask = 1 << bit % Integer.SIZE;
        return below ? before | mask : before & ~mask;
    }

    /** A number of the history of one of the step's own tokens. */
    int own(int kvHead, int token, int number) {
        return own[kvHead][token * numbers + number];
    }

    /** Events of a candidate in the window. */
    int of(int kvHead, int candidate) {
        HeadTokens head = heads.get(kvHead);
        int sum = 0;
        for (int i = 0; i < numbers; i++) {
            int number = candidate < stored
                    ? head.history().number(candidate * numbers + i)
                    : own(kvHead, candidate - stored, i);
            sum += plan.ring() ? Integer.bitCount(number) : number;
        }
        return sum;
    }
}
