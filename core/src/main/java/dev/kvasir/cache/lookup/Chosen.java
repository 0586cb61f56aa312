package dev.kvasir.cache.lookup;

import java.util.Arrays;

/** The slots that a step reads of one KV head: marked one by one by all of its query heads, then listed. */
public final class Chosen {
    private static final int WORD = Long.SIZE;

    private long[] bits = {};
    private int[] slots = {};
    private int size;
    private int count;

    /** Forgets all marks; slots are 0 to {@code newSize - 1}. */
    public void clear(int newSize) {
        int words = Math.ceilDiv(newSize, WORD);
        if (bits.length < words) {
            bits = new long[words + words / 2];
        } else {
            Arrays.fill(bits, 0, words, 0);
        }
        size = newSize;
        count = 0;
    }

    /** Marks a slot. */
    public void mark(int slot) {
        bits[slot / WORD] |= 1L << slot;
    }

    /** Marks slots {@code from} to {@code to - 1}, those that exist. */
    public void mark(int from, int to) {
        for (int slot = Math.max(0, from); slot < Math.min(size, to); slot++) {
            mark(slot);
        }
    }

    /** Whether a slot is marked. */
    public boolean isMarked(int slot) {
        return ((bits[slot / WORD] >>> slot) & 1) != 0;
    }

    /** Lists the marked slots. */
    public void list() {
        int words = Math.ceilDiv(size, WORD);
        int marked = 0;
        for (int i = 0; i < words; i++) {
            marked += Long.bitCount(bits[i]);
        }
        if (slots.length < marked) {
            slots = new int[marked + marked / 2];
        }
        count = 0;
        for (int i = 0; i < words; i++) {
            for (long left = bits[i]; left != 0; left &= left - 1) {
                slots[count++] = i * WORD + Long.numberOfTrailingZeros(left);
            }
        }
    }

    /** The slots listed, ascending; the first {@link #count} are meant. */
    public int[] slots() {
        return slots;
    }

    /** Slots listed. */
    public int count() {
        return count;
    }

    /** Slots that are touched where a store reads whole runs of {@code run} slots. */
    public int touched(int run) {
        int touched = 0;
        for (int i = 0; i < count; ) {
            int end = slots[i] / run * run + run;
            touched += Math.min(end, size) - (end - run);
            while (i < count && slots[i] < end) {
                i++;
            }
        }
        return touched;
    }
}
