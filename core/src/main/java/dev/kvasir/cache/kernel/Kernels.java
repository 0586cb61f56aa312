package dev.kvasir.cache.kernel;

import java.lang.foreign.MemorySegment;

/**
 * The door to the hot loops. {@link ScalarKernels} is the oracle, {@link VectorKernels} is what runs.
 *
 * <p>Matrices are row-major with a stride in elements. Offsets and strides are trusted: who builds a store checks shapes
 * once. No method allocates.
 */
public interface Kernels {
    /** Tokens of a panel of keys: {@code [channels][32 tokens]}. */
    int PANEL = 32;

    /** The fastest kernels of this machine; the system property {@code kvasir.kernels=scalar} selects the oracle. */
    static Kernels best() {
        return "scalar".equals(System.getProperty("kvasir.kernels")) ? new ScalarKernels() : new VectorKernels();
    }

    /** Numbers that {@link #accumulate}, {@link #unpack}, {@link #pack} and {@link #packGiven} need for themselves. */
    static int workSize(PackedLayout layout) {
        return Math.max(VectorRead.workSize(layout), 4 * layout.lanes() + GroupFit.SIZE);
    }

    /** The inner product of {@code count} numbers. */
    float dot(float[] x, int xOffset, float[] y, int yOffset, int count);

    /** {@code out[r][l] = sum over j of x[r][j] * panel[j][l]} for the 32 lanes of a dense panel {@code [depth][32]}. */
    void dots(
            float[] x,
            int xOffset,
            int xStride,
            int rows,
            float[] panel,
            int panelOffset,
            int depth,
            float[] out,
            int outOffset,
            int outStride);

    /**
     * {@code out[r][l] += sum over j of x[r][j] * matrix[j][l]}, each sum one chain in order of {@code j}, so that cutting
     * the depth into several calls changes no bit.
     */
    void sums(
            float[] x,
            int xOffset,
            int xStride,
            int rows,
            float[] matrix,
            int matrixOffset,
            int matrixStride,
            int depth,
            int lanes,
            float[] out,
            int outOffset,
            int outStride);

    /** Reads {@code count} elements from a page. */
    void decode(Element element, MemorySegment page, long byteOffset, int count, float[] out, int outOffset);

    /** Writes {@code count} elements to a page, rounded as {@link Element#round}. */
    void encode(Element element, float[] in, int inOffset, int count, MemorySegment page, long byteOffset);

    /**
     * {@code out[l] += sum over j of x[j] * page[j][l]} straight from the codes, for one row. The part of the page that is
     * read has whole units of lanes; groups may be cut.
     * Depths cost least by whole words ({@link PackedLayout#wordDepths}).
     *
     * @param x {@code x[xOffset]} belongs to the first depth of the part
     * @param out {@code out[outOffset]} belongs to the first lane of the part
     * @param work at least {@link #workSize} numbers
     */
    void accumulate(
            PackedLayout layout,
            MemorySegment page,
            int laneFrom,
            int laneTo,
            int depthFrom,
            int depthTo,
            float[] x,
            int xOffset,
            float[] out,
            int outOffset,
            float[] work);

    /** The most rows for which {@link #accumulateRows} costs less than {@link #unpack} and a dense product. */
    default int rowsFromCodes(PackedLayout layout) {
        return 3;
    }

    /** {@link #accumulate} for each of {@code rows} rows, which may share the reading of the codes. */
    void accumulateRows(
            PackedLayout layout,
            MemorySegment page,
            int laneFrom,
            int laneTo,
            int depthFrom,
            int depthTo,
            float[] x,
            int xOffset,
            int xStride,
            int rows,
            float[] out,
            int outOffset,
            int outStride,
            float[] work);

    /** Writes the numbers that a part of a page stands for to {@code out[depth][lane]}; borders as in {@link #accumulate}. */
    void unpack(
            PackedLayout layout,
            MemorySegment page,
            int laneFrom,
            int laneTo,
            int depthFrom,
            int depthTo,
            float[] out,
            int outOffset,
            int outStride,
            float[] work);

    /**
     * As {@link #unpack} of linear codes with a scale for each lane, into rows in another order: depth {@code j} goes to
     * {@code out[rows[j]][lane]}. A permutation of what is stored thus costs nothing.
     */
    void unpackRows(
            PackedLayout layout,
            MemorySegment page,
            int laneFrom,
            int laneTo,
            int depthFrom,
            int depthTo,
            int[] rows,
            float[] out,
            int outOffset,
            int outStride,
            float[] work);

    /**
     * Quantizes {@code in[depth][lane]} into a part of a page, scales included. The part holds whole groups; across the
     * groups any border will do, neighbours keep their codes.
     */
    void pack(
            PackedLayout layout,
            MemorySegment page,
            int laneFrom,
            int laneTo,
            int depthFrom,
            int depthTo,
            float[] in,
            int inOffset,
            int inStride,
            float[] work);

    /**
     * As {@link #pack}, with scales and zeros from the caller: {@code [group][depth]} of the part for PER_DEPTH, {@code
     * [group][lane]} for PER_LANE. They are rounded to their formats, stored, and codes are made with what is stored; where
     * nothing is stored codes are made with what is given, and a read gives the bare level (the codebook's, or the code).
     * Groups may be cut at any border by who gives every part the same parameters.
     *
     * @param zeros empty if all are 0; codes, not numbers, where {@link ZeroFormat#isCode}
     */
    void packGiven(
            PackedLayout layout,
            MemorySegment page,
            int laneFrom,
            int laneTo,
            int depthFrom,
            int depthTo,
            float[] in,
            int inOffset,
            int inStride,
            float[] scales,
            float[] zeros,
            int parameterOffset,
            float[] work);

    /**
     * Brings a page to a coarser {@linkplain Quantizer#nested nested} grid in integers, {@code to} being {@code from} but for its
     * bits. On the way every code is rounded to each grid whose factor is given, see {@link StepDown}.
     */
    void stepDown(PackedLayout from, MemorySegment page, PackedLayout to, MemorySegment out, int[] factors);

    /**
     * As {@link #unpack} for codes of a codebook of which nothing is stored (see {@link #packGiven}), with the scale and the zero
     * of each depth from the caller: a panel of keys whose channels have scales known beforehand.
     *
     * @param lane first of 32, a multiple of 16
     * @param depthFrom a multiple of 16, as is {@code depthTo}
     * @param out receives {@code [depthTo - depthFrom][32]}
     */
    void unpackGiven(
            PackedLayout layout,
            MemorySegment page,
            int lane,
            int depthFrom,
            int depthTo,
            float[] scales,
            float[] zeros,
            int parameterOffset,
            float[] out,
            int outOffset);

    /**
     * Scores one query against a panel of keys kept before RoPE, straight from the codes of {@link #unpackGiven}. With {@code k}
     * the unpacked key of lane {@code j} and pairs of channels {@code i, i + half}:
     *
     * <pre>
     *   out[j] = sum over i of cos[i][j] (q[i] k[i] + q[i + half] k[i + half]) + sin[i][j] (q[i + half] k[i] - q[i] k[i + half])
     * </pre>
     *
     * @param lane first of 32, a multiple of 16
     * @param depthFrom first channel of the head, a multiple of 16
     * @param half channels of half a head, a multiple of 16
     * @param cosines {@code [half][32]}, sines likewise
     * @param query {@code [2 * half]}
     * @param out receives 32 numbers
     */
    void turnedScores(
            PackedLayout layout,
            MemorySegment page,
            int lane,
            int depthFrom,
            int half,
            float[] scales,
            float[] zeros,
            int parameterOffset,
            float[] cosines,
            float[] sines,
            float[] query,
            int queryOffset,
            float[] out,
            int outOffset);

    /** The largest of {@code count} numbers; negative infinity if none. */
    float max(float[] x, int offset, int count);

    /** Replaces each number by {@code exp(x - max)} and returns their sum. Relative error below 3e-7 for x - max in [-87, 0]. */
    float expSum(float[] x, int offset, int count, float max);

    /** Multiplies {@code count} numbers by a factor. */
    void scale(float[] x, int offset, int count, float factor);
}
