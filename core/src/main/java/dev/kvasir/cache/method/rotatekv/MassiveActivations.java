package dev.kvasir.cache.method.rotatekv;

import dev.kvasir.cache.CacheFileException;
import java.io.DataInput;
import java.io.DataOutput;
import java.io.IOException;

/**
 * The entries of largest magnitude among those of a prompt's residual stream, which may come in chunks: the tokens they belong
 * to are a layer's attention sinks (Sun et al., Massive Activations in Large Language Models, 2024). Of equals the earlier
 * counts as larger.
 *
 * <p>An entry that is not among the largest of the tokens so far is not among those of any longer prompt, so prompts give the
 * same tokens however they are cut, as long as those that leave are let go.
 */
final class MassiveActivations {
    /** Descending. */
    private final float[] magnitudes;
    /** Of each entry. */
    private final int[] tokens;

    private int count;

    /** Nothing seen yet; at most {@code capacity} entries are kept. */
    MassiveActivations(int capacity) {
        magnitudes = new float[capacity];
        tokens = new int[capacity];
    }

    /** Takes in the entries of {@code rows[rowCount][width]}, which belong to tokens {@code first} and following. */
    void see(float[] rows, int rowCount, int width, int first) {
        if (magnitudes.length == 0) {
            return;
        }
        for (int t = 0; t < rowCount; t++) {
            for (int i = t * width; i < (t + 1) * width; i++) {
                float magnitude = Math.abs(rows[i]);
                if (count < magnitudes.length || magnitude > magnitudes[count - 1]) {
                    insert(magnitude, first + t);
                }
            }
        }
    }

    private void insert(float magnitude, int token) {
        int at = count < magnitudes.length ? count++ : count - 1;
        while (at > 0 && magnitude > magnitudes[at - 1]) {
            magnitudes[at] = magnitudes[at - 1];
            tokens[at] = tokens[at - 1];
            at--;
        }
        magnitudes[at] = magnitude;
        tokens[at] = token;
    }

    /** Whether an entry of that token is among them. */
    boolean holds(int token) {
        for (int i = 0; i < count; i++) {
            if (tokens[i] == token) {
                return true;
            }
        }
        return false;
    }

    /** Whether there may have been entries that are forgotten. */
    boolean isFull() {
        return count > 0 && count == magnitudes.length;
    }

    /** The newest token that has an entry among them. */
    int newestToken() {
        int newest = -1;
        for (int i = 0; i < count; i++) {
            newest = Math.max(newest, tokens[i]);
        }
        return newest;
    }

    /** Forgets the entries of tokens from {@code size} on. */
    void truncate(int size) {
        int kept = 0;
        for (int i = 0; i < count; i++) {
            if (tokens[i] < size) {
                magnitudes[kept] = magnitudes[i];
                tokens[kept++] = tokens[i];
            }
        }
        count = kept;
    }

    MassiveActivations copy() {
        MassiveActivations copy = new MassiveActivations(magnitudes.length);
        System.arraycopy(magnitudes, 0, copy.magnitudes, 0, count);
        System.arraycopy(tokens, 0, copy.tokens, 0, count);
        copy.count = count;
        return copy;
    }

    void write(DataOutput out) throws IOException {
        out.writeInt(count);
        for (int i = 0; i < count; i++) {
            out.writeFloat(magnitudes[i]);
            out.writeInt(tokens[i]);
        }
    }

    /** Reads what {@link #write} wrote of {@code size} tokens. */
    void read(DataInput in, int size) throws IOException {
        int found = in.readInt();
        if (found < 0 || found > magnitudes.length) {
            throw new CacheFileException(
                    "massive activations: found " + found + ", allowed are 0 to " + magnitudes.length);
        }
        float last = Float.POSITIVE_INFINITY;
        for (int i = 0; i < found; i++) {
            float magnitude = in.readFloat();
            int token = in.readInt();
            if (!(magnitude >= 0 && magnitude <= last) || token < 0 || token >= size) {
                throw new CacheFileException("massive activation " + i + ": " + magnitude + " of token " + token
                        + ", allowed are 0 to " + last + " and tokens 0 to " + (size - 1));
            }
            magnitudes[i] = magnitude;
            tokens[i] = token;
            last = magnitude;
        }
        count = found;
    }
}
