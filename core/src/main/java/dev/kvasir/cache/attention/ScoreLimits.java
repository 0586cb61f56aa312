package dev.kvasir.cache.attention;

import dev.kvasir.cache.CacheShape;
import dev.kvasir.tensor.Activations;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * What a model does to scores before their softmax: a soft cap, and a window of the newest positions outside of which nothing
 * is seen. Holds for whatever stores the tokens, because it goes by true positions.
 */
final class ScoreLimits {
    /** So low that its weight is 0 beside any real score; infinity would make weights of nothing but such scores NaN. */
    private static final float UNSEEN = -1e30f;

    private final float cap;
    private @Nullable LayerStore layer;
    private int window = CacheShape.ALL;
    private boolean inOrder;
    private int first;
    private int[] chosen = {};

    ScoreLimits(CacheShape shape) {
        this.cap = shape.scoreCap();
    }

    /** Turns to the tokens of a step, or of its block, in a layer; the first is at {@code position}. */
    void begin(LayerStore stepLayer, int layerWindow, int position) {
        layer = stepLayer;
        window = layerWindow;
        inOrder = stepLayer.slots() == LayerStore.Slots.IN_ORDER;
        first = position;
        chosen = new int[0];
    }

    /** Only these tokens of the step, counted from 0, take part from now on; empty for all. */
    void choose(int[] tokens) {
        chosen = tokens;
    }

    /** The step is over. */
    void end() {
        layer = null;
    }

    boolean hasWindow() {
        return window != CacheShape.ALL;
    }

    /** Positions up to this one are out of the sight of a token of the step. */
    private int lastUnseen(int token) {
        return hasWindow() ? position(token) - window : -1;
    }

    private int position(int token) {
        return first + (chosen.length == 0 ? token : chosen[token]);
    }

    private int slotPosition(int kvHead, int slot) {
        LayerStore now = layer;
        return now == null || inOrder ? slot : now.position(kvHead, slot);
    }

    /** The first slot of a head that a token and those after it may see, rounded down to {@code tile}. */
    int firstSlot(int token, int tile) {
        return inOrder ? Math.max(0, lastUnseen(token) + 1) / tile * tile : 0;
    }

    /** The first of the step's own tokens that a token and those after it may see, rounded down to {@code tile}. */
    int firstOwn(int token, int tile) {
        return chosen.length == 0 ? Math.max(0, lastUnseen(token) + 1 - first) / tile * tile : 0;
    }

    /** Limits a token's scores of slots {@code from} to {@code to - 1}. */
    void stored(int kvHead, int token, float[] scores, int at, int from, int to) {
        cap(scores, at, to - from);
        int last = lastUnseen(token);
        if (last < 0) {
            return;
        }
        if (inOrder) {
            Arrays.fill(scores, at, at + Math.clamp(last + 1L - from, 0, to - from), UNSEEN);
            return;
        }
        for (int slot = from; slot < to; slot++) {
            if (slotPosition(kvHead, slot) <= last) {
                scores[at + slot - from] = UNSEEN;
            }
        }
    }

    /** The same of the {@code from}th to {@code to - 1}th of some slots. */
    void selected(int kvHead, int token, float[] scores, int at, int[] slots, int from, int to) {
        cap(scores, at, to - from);
        int last = lastUnseen(token);
        for (int i = from; i < to && last >= 0; i++) {
            if (slotPosition(kvHead, slots[i]) <= last) {
                scores[at + i - from] = UNSEEN;
            }
        }
    }

    /** Limits a token's scores of the step's own tokens {@code from} to {@code to - 1}. */
    void own(int token, float[] scores, int at, int from, int to) {
        cap(scores, at, to - from);
        int last = lastUnseen(token);
        for (int i = from; i < to && last >= 0 && position(i) <= last; i++) {
            scores[at + i - from] = UNSEEN;
        }
    }

    private void cap(float[] scores, int at, int count) {
        if (cap > 0) {
            Activations.cap(scores, at, at + count, cap);
        }
    }
}
