package dev.kvasir.cache.correction;

import dev.kvasir.cache.kernel.Element;
import dev.kvasir.cache.kernel.Kernels;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;

/**
 * The factors of a residual {@code R[tokens][width] ~ A B} in a page, both F16. Reads go through the {@code rank} numbers
 * in between: {@code (q B^t) A^t} for scores, {@code (w A) B} for sums of values.
 *
 * <pre>
 *   A = [rank][tokens]    tokens in lanes
 *   B = [rank][width]
 * </pre>
 *
 * <p>Source: GEAR, arXiv 2403.05527, section 3.
 *
 * @param tokens of the chunk
 * @param width channels of a head
 * @param rank zero or more; zero takes no bytes and adds nothing
 */
public record LowRank(int tokens, int width, int rank) {
    /** Checks the shape. */
    public LowRank {
        if (tokens < 1 || width < 1 || rank < 0) {
            throw new IllegalArgumentException("low rank " + rank + " of [" + tokens + "][" + width + "]");
        }
    }

    /** Bytes in a page. */
    public long bytes() {
        return 2L * rank * ((long) tokens + width);
    }

    /** Numbers that a read of up to {@code span} tokens for {@code rows} query rows needs for itself. */
    public int workSize(int span, int rows) {
        return rank * (span + width + rows);
    }

    /** Writes the factors that {@code found} holds, of this shape. */
    public void write(Kernels kernels, PowerIteration found, MemorySegment page, long at) {
        kernels.encode(Element.F16, found.a(), 0, rank * tokens, page, at);
        kernels.encode(Element.F16, found.b(), 0, rank * width, page, at + 2L * rank * tokens);
    }

    /**
     * Keys: {@code out[r][i] += sum over k of (queries[r] . B[k]) A[k][from + i]}.
     *
     * @param at byte offset of the factors in the page
     * @param queries {@code [rows][width]}
     * @param work at least {@link #workSize} numbers
     */
    public void addScores(
            Kernels kernels,
            MemorySegment page,
            long at,
            float[] queries,
            int queryOffset,
            int rows,
            int from,
            int to,
            float[] out,
            int outOffset,
            int outStride,
            float[] work) {
        if (rank == 0 || to <= from) {
            return;
        }
        int span = to - from;
        int b = rank * span;
        int between = b + rank * width;
        readBoth(kernels, page, at, from, to, work);
        for (int r = 0; r < rows; r++) {
            for (int k = 0; k < rank; k++) {
                work[between + r * rank + k] =
                        kernels.dot(queries, queryOffset + r * width, work, b + k * width, width);
            }
        }
        kernels.sums(work, between, rank, rows, work, 0, span, rank, span, out, outOffset, outStride);
    }

    /**
     * Values: {@code out[r] += sum over k of (sum over i of weights[r][i] A[k][from + i]) B[k]}.
     *
     * @param weights {@code [rows]}, {@code weightStride} numbers apart
     * @param out {@code [rows][width]}
     * @param work at least {@link #workSize} numbers
     */
    public void addWeighted(
            Kernels kernels,
            MemorySegment page,
            long at,
            float[] weights,
            int weightOffset,
            int weightStride,
            int rows,
            int from,
            int to,
            float[] out,
            int outOffset,
            float[] work) {
        if (rank == 0 || to <= from) {
            return;
        }
        int span = to - from;
        int b = rank * span;
        int between = b + rank * width;
        readBoth(kernels, page, at, from, to, work);
        for (int r = 0; r < rows; r++) {
            for (int k = 0; k < rank; k++) {
                work[between + r * rank + k] =
                        kernels.dot(weights, weightOffset + r * weightStride, work, k * span, span);
            }
        }
        kernels.sums(work, between, rank, rows, work, b, width, rank, width, out, outOffset, width);
    }

    /** Writes {@code A} of some tokens and, after it, {@code B}. They lie side by side, and short runs are read slowly. */
    private void readBoth(Kernels kernels, MemorySegment page, long at, int from, int to, float[] work) {
        if (to - from == tokens) {
            kernels.decode(Element.F16, page, at, rank * (tokens + width), work, 0);
            return;
        }
        readA(kernels, page, at, from, to, work);
        kernels.decode(Element.F16, page, at + 2L * rank * tokens, rank * width, work, rank * (to - from));
    }

    private void readA(Kernels kernels, MemorySegment page, long at, int from, int to, float[] work) {
        int span = to - from;
        for (int k = 0; k < rank; k++) {
            kernels.decode(Element.F16, page, at + 2L * (k * tokens + from), span, work, k * span);
        }
    }

    /** Writes {@code A B} of some tokens to {@code out[token][width]}: what the factors stand for. */
    public void restore(Kernels kernels, MemorySegment page, long at, int from, int to, float[] out, int outOffset) {
        float[] a = new float[rank * (to - from)];
        float[] b = new float[rank * width];
        readA(kernels, page, at, from, to, a);
        kernels.decode(Element.F16, page, at + 2L * rank * tokens, rank * width, b, 0);
        Arrays.fill(out, outOffset, outOffset + (to - from) * width, 0f);
        for (int k = 0; k < rank; k++) {
            for (int i = 0; i < to - from; i++) {
                for (int c = 0; c < width; c++) {
                    out[outOffset + i * width + c] += a[k * (to - from) + i] * b[k * width + c];
                }
            }
        }
    }
}
