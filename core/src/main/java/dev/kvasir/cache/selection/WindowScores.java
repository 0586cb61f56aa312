package dev.kvasir.cache.selection;

import dev.kvasir.cache.TokenStates;
import dev.kvasir.cache.attention.WeightObserver;
import dev.kvasir.cache.kernel.Kernels;
import dev.kvasir.cache.store.Scratch;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;

/**
 * The attention that a token gets from the last tokens of a step, its observation window, summed over them and over the query
 * heads of its KV head (SnapKV, arXiv 2404.14469, section 4). The scores may be pooled over neighbours, so that what stands
 * beside an important token stays with it.
 */
public final class WindowScores implements Importance, WeightObserver {
    private final List<HeadTokens> heads;
    private final int window;
    private final Pooling pooling;
    private final int kernel;
    private final Optional<WeightObserver> itself = Optional.of(this);
    /** {@code [kvHeads][stored + count]}. */
    private final float[][] sums;
    /** Query heads that are told apart; 0: none. */
    private final int group;
    /** {@code [kvHeads * group][stored + count]}. */
    private final float[][] apart;

    private final float[][] tiles;
    private final Kernels kernels = Kernels.best();

    private int stored;
    private int count;

    /** How scores of neighbours are pooled. */
    public enum Pooling {
        /** Not at all. */
        NONE,
        /** The largest of them. */
        MAX,
        /** Their sum over the width of the kernel, also where the row ends. */
        AVERAGE
    }

    /**
     * Scores of the tokens of these heads.
     *
     * @param window last tokens of a step whose attention counts
     * @param kernel neighbours that are pooled, an odd number
     */
    public WindowScores(List<HeadTokens> heads, int window, Pooling pooling, int kernel) {
        this(heads, window, pooling, kernel, 0);
    }

    /** The same, which tells {@code group} query heads of each head apart: all there are. */
    WindowScores(List<HeadTokens> heads, int window, Pooling pooling, int kernel, int group) {
        this.group = group;
        this.apart = new float[heads.size() * group][0];
        this.tiles = new float[group > 0 ? heads.size() : 0][0];
        this.heads = heads;
        this.window = window;
        this.pooling = pooling;
        this.kernel = kernel;
        this.sums = new float[heads.size()][0];
    }

    @Override
    public void open(TokenStates states) {
        count = states.count();
    }

    @Override
    public Optional<WeightObserver> observer() {
        return itself;
    }

    @Override
    public void begin(int storedSlots, int tokens) {
        stored = storedSlots;
        for (int h = 0; h < sums.length; h++) {
            sums[h] = Scratch.grown(sums[h], stored + tokens);
            Arrays.fill(sums[h], 0, stored + tokens, 0f);
        }
        for (int h = 0; h < apart.length; h++) {
            apart[h] = Scratch.grown(apart[h], stored + tokens);
            Arrays.fill(apart[h], 0, stored + tokens, 0f);
        }
    }

    @Override
    public boolean wants(int token) {
        return token >= count - window;
    }

    @Override
    public int toSlot() {
        return stored;
    }

    @Override
    public void observe(int kvHead, int token, float[] weights, int offset, int slot, int slots) {
        float[] head = sums[kvHead];
        for (int i = 0; i < slots; i++) {
            head[slot + i] += weights[offset + i];
        }
    }

    @Override
    public boolean wantsScores() {
        return group > 0;
    }

    @Override
    public void observeScores(
            int kvHead, int queryHead, int token, float[] scores, int offset, int slot, int slots, float logSum) {
        // Added up as weights that come summed over the query heads are: the sums of a KV head are the same to the bit.
        tiles[kvHead] = Scratch.grown(tiles[kvHead], 2 * slots);
        float[] tile = tiles[kvHead];
        System.arraycopy(scores, offset, tile, slots, slots);
        kernels.expSum(tile, slots, slots, logSum);
        float[] own = apart[kvHead * group + queryHead];
        for (int i = 0; i < slots; i++) {
            own[slot + i] += tile[slots + i];
            tile[i] = queryHead == 0 ? tile[slots + i] : tile[i] + tile[slots + i];
        }
        if (queryHead == group - 1) {
            observe(kvHead, token, tile, 0, slot, slots);
        }
    }

    @Override
    public void of(int kvHead, float[] out) {
        write(kvHead, sums[kvHead], out);
    }

    @Override
    public void ofQueryHead(int kvHead, int queryHead, float[] out) {
        write(kvHead, apart[kvHead * group + queryHead], out);
    }

    private void write(int kvHead, float[] raw, float[] out) {
        HeadTokens head = heads.get(kvHead);
        int slots = head.stored();
        System.arraycopy(raw, 0, out, 0, slots);
        System.arraycopy(raw, stored, out, slots, head.own());
        if (pooling != Pooling.NONE) {
            // The window itself stays anyway, and its scores must not spill over.
            pool(out, Math.max(0, slots + head.own() - window), raw);
        }
    }

    /** Adds the sums of a head, as they are without pooling. */
    void addTo(int kvHead, float[] out) {
        int slots = heads.get(kvHead).stored();
        for (int i = 0; i < slots; i++) {
            out[i] += sums[kvHead][i];
        }
        for (int t = 0; t < heads.get(kvHead).own(); t++) {
            out[slots + t] += sums[kvHead][stored + t];
        }
    }

    /** Pools the first {@code length} scores; {@code raw} is overwritten with them. */
    private void pool(float[] scores, int length, float[] raw) {
        System.arraycopy(scores, 0, raw, 0, length);
        int half = kernel / 2;
        for (int i = 0; i < length; i++) {
            float most = 0;
            float sum = 0;
            for (int j = Math.max(0, i - half); j < Math.min(length, i + half + 1); j++) {
                most = Math.max(most, raw[j]);
                sum += raw[j];
            }
            scores[i] = pooling == Pooling.MAX ? most : sum / kernel;
        }
    }
}
