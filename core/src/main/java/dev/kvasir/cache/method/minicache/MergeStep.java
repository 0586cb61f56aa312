package dev.kvasir.cache.method.minicache;

import dev.kvasir.cache.TokenStates;
import dev.kvasir.cache.store.Scratch;

/**
 * Tokens of a pair on their way to be merged: what the lower layer saw of them until the upper one has run, and the states
 * that the store of directions is given. As long as a step, and no longer: a pair holds none between steps.
 */
final class MergeStep implements TokenStates {
    /** Numbers kept for the next step: a long prompt's are not. */
    private static final int SMALL = 1 << 18;

    private final int kvHeads;
    private final int headDim;
    /** {@code [layer][side][tokens][kvHeads][headDim]}, F16 once loaded; those from the window first. */
    private final float[][][] rows = {{{}, {}}, {{}, {}}};
    /** Directions, {@code [side][count][kvHeads][headDim]}. */
    private final float[][] directions = {{}, {}};
    /** Angles, {@code [side][kvHeads][count]}. */
    private final double[][] angles = {{}, {}};

    private final boolean[][] retained;
    private double[] distances = {};
    private int count;
    private int first;

    MergeStep(int kvHeads, int headDim, int sets) {
        this.kvHeads = kvHeads;
        this.headDim = headDim;
        retained = new boolean[sets][0];
    }

    /**
     * Begins.
     *
     * @param firstSlot slot of the first token
     * @param merged tokens that will be merged
     */
    void begin(int firstSlot, int merged) {
        first = firstSlot;
        count = merged;
        for (int side = 0; side < 2; side++) {
            directions[side] = Scratch.grown(directions[side], merged * width());
            angles[side] = angles[side].length < merged * kvHeads ? new double[merged * kvHeads] : angles[side];
        }
        for (int i = 0; i < retained.length; i++) {
            retained[i] = retained[i].length < merged ? new boolean[merged] : retained[i];
        }
        distances = distances.length < merged ? new double[merged] : distances;
    }

    /** Takes a layer's states of the step behind {@code waiting} tokens that its window holds. */
    void take(int layer, TokenStates states, int waiting) {
        float[][] taken = rows[layer];
        int size = states.count() * width();
        for (int side = 0; side < 2; side++) {
            taken[side] = Scratch.grown(taken[side], waiting * width() + size);
            float[] from = side == 0 ? states.keys() : states.values();
            System.arraycopy(from, 0, taken[side], waiting * width(), size);
        }
    }

    /** Whether it is small enough to be kept for another step. */
    boolean isSmall() {
        return rows[0][0].length <= SMALL;
    }

    int width() {
        return kvHeads * headDim;
    }

    /** Where a head's row of a token begins. */
    int offset(int token, int kvHead) {
        return (token * kvHeads + kvHead) * headDim;
    }

    float[] rows(int layer, int side) {
        return rows[layer][side];
    }

    float[] directions(int side) {
        return directions[side];
    }

    void angle(int side, int kvHead, int token, double angle) {
        angles[side][kvHead * count + token] = angle;
    }

    double angle(int side, int kvHead, int token) {
        return angles[side][kvHead * count + token];
    }

    boolean[] retained(int set) {
        return retained[set];
    }

    double[] distances() {
        return distances;
    }

    /** Tokens that are merged. */
    @Override
    public int count() {
        return count;
    }

    @Override
    public int firstPosition() {
        return first;
    }

    /** Directions of keys. */
    @Override
    public float[] keys() {
        return directions[0];
    }

    /** Directions of values. */
    @Override
    public float[] values() {
        return directions[1];
    }

    @Override
    public float[] keysBeforeRope() {
        throw only();
    }

    @Override
    public float[] input() {
        throw only();
    }

    @Override
    public float[] residual() {
        throw only();
    }

    private static IllegalStateException only() {
        return new IllegalStateException("directions are all there is");
    }
}
