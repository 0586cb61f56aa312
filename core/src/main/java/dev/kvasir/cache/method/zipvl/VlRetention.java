package dev.kvasir.cache.method.zipvl;

import dev.kvasir.cache.Queries;
import dev.kvasir.cache.TokenStates;
import dev.kvasir.cache.attention.WeightObserver;
import dev.kvasir.cache.importance.ColumnSums;
import dev.kvasir.cache.selection.HeadTokens;
import dev.kvasir.cache.selection.Retention;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;

/**
 * ZipVL's second version: only important tokens stay, the same for all heads of a layer. The number beside a token says whether
 * it has been judged: 1, or 0 while it waits with the newest.
 */
final class VlRetention implements Retention {
    private final VlPlan plan;
    private final List<HeadTokens> heads;
    private final VlProbes probes;
    private final ColumnSums sums;
    private final Optional<WeightObserver> observer;
    /** What the probes of the step gave to stored tokens, {@code [kvHeads][stored]}. */
    private final float[][] storedSums;

    private int tail;
    private int count;
    private boolean prompt;
    private boolean flushes;
    private boolean[] chosen = {};

    VlRetention(VlPlan plan, List<HeadTokens> heads) {
        this.plan = plan;
        this.heads = heads;
        probes = plan.probes();
        storedSums = new float[heads.size()][0];
        sums = new ColumnSums(heads.size(), probes, (kvHead, slot, weights, offset, slots) -> {
            for (int i = 0; i < slots; i++) {
                storedSums[kvHead][slot + i] += weights[offset + i];
            }
        });
        observer = Optional.of(sums);
    }

    @Override
    public boolean hasHistory() {
        return true;
    }

    @Override
    public boolean changesHistory() {
        return false;
    }

    @Override
    public boolean letsStoredGo() {
        return true;
    }

    @Override
    public boolean headsDiffer() {
        return true;
    }

    @Override
    public int sizeAfter(int stored, int seen, int more) {
        return stored + more;
    }

    @Override
    public boolean mayLetGo(int stored, int seen, int more) {
        return isPrompt(seen, more) || waiting() + more >= plan.layout().interval();
    }

    private boolean isPrompt(int seen, int more) {
        return (seen == 0 && more > 1) || more >= plan.layout().interval();
    }

    /** Newest stored tokens that are not judged. */
    private int waiting() {
        HeadTokens head = heads.getFirst();
        int size = head.history().size();
        int waiting = 0;
        while (waiting < size && head.history().decimal(size - 1 - waiting) == 0) {
            waiting++;
        }
        return waiting;
    }

    @Override
    public void open(TokenStates states, Queries queries) {
        count = states.count();
        tail = waiting();
        prompt = isPrompt(states.firstPosition(), count);
        flushes = prompt || tail + count >= plan.layout().interval();
        chosen = new boolean[0];
        if (!flushes) {
            return;
        }
        probes.lastOnly(!prompt);
        int stored = heads.getFirst().stored();
        sums.expect(states.firstPosition(), stored - tail);
        for (int h = 0; h < storedSums.length; h++) {
            if (storedSums[h].length < stored) {
                storedSums[h] = new float[stored + stored / 4];
            }
            Arrays.fill(storedSums[h], 0, stored, 0f);
        }
    }

    @Override
    public Optional<WeightObserver> observer() {
        return flushes ? observer : Optional.empty();
    }

    @Override
    public boolean probes(int more) {
        return prompt && plan.sparse() && more >= plan.minTokens();
    }

    @Override
    public int[] attending() {
        choose();
        int[] attending = new int[count];
        int size = 0;
        for (int t = 0; t < count; t++) {
            if (chosen[tail + t]) {
                attending[size++] = t;
            }
        }
        return Arrays.copyOf(attending, size);
    }

    private void choose() {
        int stored = heads.getFirst().stored();
        double[] columns = new double[tail + count];
        int[] visible = new int[columns.length];
        int after = 0;
        for (int i = columns.length - 1; i >= 0; i--) {
            after += i >= tail && probes.wants(i - tail) ? 1 : 0;
            visible[i] = after;
            for (int h = 0; h < heads.size(); h++) {
                columns[i] += i < tail ? storedSums[h][stored - tail + i] : sums.own(h, i - tail);
            }
        }
        chosen = VlChoice.choose(columns, visible, VlChoice.budget(columns, plan.tau()), plan.forcesLast());
    }

    @Override
    public void rank(int kvHead) {
        // All heads share one choice: the first to be asked makes it, and heads are ranked before any chooses.
        if (kvHead == 0 && flushes && chosen.length == 0) {
            choose();
        }
    }

    @Override
    public int choose(int kvHead, int[] staying) {
        HeadTokens head = heads.get(kvHead);
        int judged = head.stored() - tail;
        int size = 0;
        for (int i = 0; i < head.all(); i++) {
            if (!flushes || i < judged || chosen[i - judged]) {
                staying[size++] = i;
                if (flushes && i >= judged && i < head.stored()) {
                    head.history().set(i, 1f);
                }
            }
        }
        return size;
    }

    @Override
    public float history(int kvHead, int token) {
        return flushes ? 1 : 0;
    }
}
