package dev.kvasir.engine;

import java.util.Arrays;

/** A growing list of token ids that shows its array. */
final class TokenList {
    private int[] elements = new int[64];
    private int size;

    void add(int token) {
        if (size == elements.length) {
            elements = Arrays.copyOf(elements, 2 * size);
        }
        elements[size++] = token;
    }

    int size() {
        return size;
    }

    /** The list's own array: at least {@link #size} long, valid until the next {@link #add}. */
    int[] elements() {
        return elements;
    }

    int[] toArray() {
        return Arrays.copyOf(elements, size);
    }
}
