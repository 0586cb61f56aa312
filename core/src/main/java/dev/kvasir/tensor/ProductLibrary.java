package dev.kvasir.tensor;

import java.lang.foreign.MemorySegment;

/**
 * A native library that multiplies many tokens with weights in bf16, for {@link Precision#BF16}; found with {@link
 * java.util.ServiceLoader}. Safe for use by several threads.
 */
public interface ProductLibrary {
    /** What it is, or why it cannot be used, for a person. */
    String name();

    /** Whether it can be used, and this processor multiplies bf16 faster than f32. */
    boolean isFast();

    /**
     * Writes {@code out[t][r] = sum over c of x[t][c] * weights[r][c]} on the calling thread, summed in f32; only if {@link
     * #isFast}.
     *
     * @param x bf16 {@code [tokens][columns]} outside of the heap
     * @param weights bf16 {@code [rows][columns]} outside of the heap
     * @param out f32 {@code [tokens][rows]} outside of the heap
     */
    void multiply(MemorySegment x, int tokens, MemorySegment weights, int rows, int columns, MemorySegment out);
}
