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

    /** Numbers that {@link #accumulate}, {@link #unpack} and {@link #pack} need for themselves. */
    static int workSize(PackedLayout layout) {
        // Scales and zeros of a group either way, and tables of 16 for every four bits of a plane of 4 or fewer.
        return 3 * (layout.depth() + layout.lanes()) + 16 * layout.depth();
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
     * read has whole units of lanes, whole groups, and depths by 32 or to the end.
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

    /** The largest of {@code count} numbers; negative infinity if none. */
    float max(float[] x, int offset, int count);

    /** Replaces each number by {@code exp(x - max)} and returns their sum. Relative error below 3e-7 for x - max in [-87, 0]. */
    float expSum(float[] x, int offset, int count, float max);

    /** Multiplies {@code count} numbers by a factor. */
    void scale(float[] x, int offset, int count, float factor);
}
