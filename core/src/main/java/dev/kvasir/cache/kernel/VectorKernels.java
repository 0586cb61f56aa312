package dev.kvasir.cache.kernel;

import java.lang.foreign.MemorySegment;

/**
 * The kernels on the Vector API, for any species of 4 to 16 float lanes.
 *
 * <p>The loops live beside this class by what they serve: {@link VectorDense}, {@link VectorElements}, {@link
 * VectorRead} and {@link VectorUnpack} (packed codes, with {@link VectorPlanes}, {@link VectorPairs}, {@link VectorLevels} and
 * {@link VectorTrits} by how codes lie and what they mean, {@link VectorRows} for several rows at once), {@link VectorGiven} and
 * {@link VectorTurned} (codes read under scales from elsewhere), {@link VectorPack} and {@link VectorCodes} (making them),
 * {@link VectorParameters} and
 * {@link VectorSoftmax}.
 *
 * <p>A rule for who changes them: once a compilation unit holds some seventy vector operations the JIT stops inlining them
 * (NodeCountInliningCutoff), and each one left out makes an object and costs ten times its time. What a unit holds depends on
 * what else is hot in the process. So a method with a vector loop is either small (ten operations) or longer than the 325
 * bytes of bytecode up to which the JIT inlines it into its caller, and has at most sixty of them; no vector is passed to a
 * method that may stay a call.
 */
public final class VectorKernels implements Kernels {
    @Override
    public float dot(float[] x, int xOffset, float[] y, int yOffset, int count) {
        return VectorDense.dot(x, xOffset, y, yOffset, count);
    }

    @Override
    public void dots(
            float[] x,
            int xOffset,
            int xStride,
            int rows,
            float[] panel,
            int panelOffset,
            int depth,
            float[] out,
            int outOffset,
            int outStride) {
        int r = 0;
        for (; r + 4 <= rows; r += 4) {
            VectorDense.dots4(
                    x,
                    xOffset + r * xStride,
                    xStride,
                    panel,
                    panelOffset,
                    depth,
                    out,
                    outOffset + r * outStride,
                    outStride);
        }
        for (; r < rows; r++) {
            VectorDense.dots1(x, xOffset + r * xStride, panel, panelOffset, depth, out, outOffset + r * outStride);
        }
    }

    @Override
    public void sums(
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
            int outStride) {
        int r = 0;
        for (; r + 4 <= rows; r += 4) {
            VectorDense.sums4(
                    x,
                    xOffset + r * xStride,
                    xStride,
                    matrix,
                    matrixOffset,
                    matrixStride,
                    depth,
                    lanes,
                    out,
                    outOffset + r * outStride,
                    outStride);
        }
        for (; r < rows; r++) {
            VectorDense.sums1(
                    x,
                    xOffset + r * xStride,
                    matrix,
                    matrixOffset,
                    matrixStride,
                    depth,
                    lanes,
                    out,
                    outOffset + r * outStride);
        }
    }

    @Override
    public void decode(Element element, MemorySegment page, long byteOffset, int count, float[] out, int outOffset) {
        switch (element) {
            case F32 -> VectorElements.decodeF32(page, byteOffset, count, out, outOffset);
            case BF16 -> VectorElements.decodeBf16(page, byteOffset, count, out, outOffset);
            case F16 -> VectorElements.decodeF16(page, byteOffset, count, out, outOffset);
        }
    }

    @Override
    public void encode(Element element, float[] in, int inOffset, int count, MemorySegment page, long byteOffset) {
        switch (element) {
            case F32 -> VectorElements.encodeF32(in, inOffset, count, page, byteOffset);
            case BF16 -> VectorElements.encodeBf16(in, inOffset, count, page, byteOffset);
            case F16 -> VectorElements.encodeF16(in, inOffset, count, page, byteOffset);
        }
    }

    @Override
    public void accumulate(
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
            float[] work) {
        VectorRead.accumulate(layout, page, laneFrom, laneTo, depthFrom, depthTo, x, xOffset, out, outOffset, work);
    }

    @Override
    public int rowsFromCodes(PackedLayout layout) {
        return VectorRows.rows(layout);
    }

    @Override
    public void accumulateRows(
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
            float[] work) {
        VectorRead.accumulateRows(
                layout, page, laneFrom, laneTo, depthFrom, depthTo, x, xOffset, xStride, rows, out, outOffset,
                outStride, work);
    }

    @Override
    public void unpack(
            PackedLayout layout,
            MemorySegment page,
            int laneFrom,
            int laneTo,
            int depthFrom,
            int depthTo,
            float[] out,
            int outOffset,
            int outStride,
            float[] work) {
        VectorUnpack.unpack(layout, page, laneFrom, laneTo, depthFrom, depthTo, out, outOffset, outStride, work);
    }

    @Override
    public void unpackRows(
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
            float[] work) {
        VectorUnpack.rows(layout, page, laneFrom, laneTo, depthFrom, depthTo, rows, out, outOffset, outStride, work);
    }

    @Override
    public void pack(
            PackedLayout layout,
            MemorySegment page,
            int laneFrom,
            int laneTo,
            int depthFrom,
            int depthTo,
            float[] in,
            int inOffset,
            int inStride,
            float[] work) {
        VectorPack.pack(layout, page, laneFrom, laneTo, depthFrom, depthTo, in, inOffset, inStride, work);
    }

    @Override
    public void packGiven(
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
            float[] work) {
        VectorPack.packGiven(
                layout,
                page,
                laneFrom,
                laneTo,
                depthFrom,
                depthTo,
                in,
                inOffset,
                inStride,
                scales,
                zeros,
                parameterOffset,
                work);
    }

    @Override
    public void stepDown(PackedLayout from, MemorySegment page, PackedLayout to, MemorySegment out, int[] factors) {
        StepDown.vector(from, page, to, out, factors);
    }

    @Override
    public void unpackGiven(
            PackedLayout layout,
            MemorySegment page,
            int lane,
            int depthFrom,
            int depthTo,
            float[] scales,
            float[] zeros,
            int parameterOffset,
            float[] out,
            int outOffset) {
        VectorGiven.unpack(layout, page, lane, depthFrom, depthTo, scales, zeros, parameterOffset, out, outOffset);
    }

    @Override
    public void turnedScores(
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
            int outOffset) {
        VectorTurned.scores(
                layout,
                page,
                lane,
                depthFrom,
                half,
                scales,
                zeros,
                parameterOffset,
                cosines,
                sines,
                query,
                queryOffset,
                out,
                outOffset);
    }

    @Override
    public float max(float[] x, int offset, int count) {
        return VectorSoftmax.max(x, offset, count);
    }

    @Override
    public float expSum(float[] x, int offset, int count, float max) {
        return VectorSoftmax.expSum(x, offset, count, max);
    }

    @Override
    public void scale(float[] x, int offset, int count, float factor) {
        VectorSoftmax.scale(x, offset, count, factor);
    }
}
