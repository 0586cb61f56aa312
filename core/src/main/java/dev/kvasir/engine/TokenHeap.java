package dev.kvasir.engine;

/** Tokens by falling score, the lower id first among equals; made in O(tokens), each pop in O(log tokens). */
final class TokenHeap {
    private final int[] ids;
    private float[] scores = {};
    private int size;

    TokenHeap(int capacity) {
        ids = new int[capacity];
    }

    /** Holds all tokens of {@code scores}, which must not change until the next call. */
    void fill(float[] scores) {
        this.scores = scores;
        size = ids.length;
        for (int i = 0; i < size; i++) {
            ids[i] = i;
        }
        for (int i = size / 2 - 1; i >= 0; i--) {
            sink(i);
        }
    }

    boolean isEmpty() {
        return size == 0;
    }

    /** Takes the best token out. */
    int pop() {
        int best = ids[0];
        ids[0] = ids[--size];
        sink(0);
        return best;
    }

    private void sink(int at) {
        int id = ids[at];
        for (int child = 2 * at + 1; child < size; child = 2 * at + 1) {
            if (child + 1 < size && before(ids[child + 1], ids[child])) {
                child++;
            }
            if (before(id, ids[child])) {
                break;
            }
            ids[at] = ids[child];
            at = child;
        }
        ids[at] = id;
    }

    private boolean before(int a, int b) {
        return scores[a] > scores[b] || (scores[a] == scores[b] && a < b);
    }
}
