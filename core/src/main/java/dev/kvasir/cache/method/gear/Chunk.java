package dev.kvasir.cache.method.gear;

import dev.kvasir.cache.Page;
import dev.kvasir.cache.PagePool;
import dev.kvasir.cache.kernel.Kernels;
import dev.kvasir.cache.store.PackedReads;
import dev.kvasir.cache.store.Scratch;
import java.lang.foreign.MemorySegment;

/**
 * Tokens compressed at once, X ~ D + L + S: written once, then shared by all forks. Each read goes over the three parts in
 * turn; none is ever restored to a matrix.
 */
final class Chunk {
    final ChunkShape shape;
    /** Slot of the first token. */
    final int start;

    final Page keys;
    final Page values;
    /** The backbone's page of each head's keys. */
    final MemorySegment[] keyCodes;

    Chunk(ChunkShape shape, int start, PagePool.Claim claim) {
        this.shape = shape;
        this.start = start;
        keys = claim.page(shape.keyBytes());
        values = claim.page(shape.valueBytes());
        keyCodes = new MemorySegment[shape.kvHeads];
        for (int h = 0; h < keyCodes.length; h++) {
            keyCodes[h] = keys.bytes().asSlice(shape.keyCodesAt(h), shape.keyCodes.bytes());
        }
    }

    /** Bytes of both pages. */
    static long bytes(ChunkShape shape) {
        return shape.keyBytes() + shape.valueBytes();
    }

    /** The slot after the last token. */
    int end() {
        return start + shape.tokens;
    }

    void share(PagePool pool) {
        pool.share(keys);
        pool.share(values);
    }

    void release(PagePool pool) {
        pool.release(keys);
        pool.release(values);
    }

    /** Scores of the chunk's tokens {@code from} to {@code to - 1}: q D^t + (q B) A^t + q S^t. */
    void scores(
            Kernels kernels,
            int kvHead,
            float[] queries,
            int queryOffset,
            int rows,
            int from,
            int to,
            float[] out,
            int outOffset,
            int outStride,
            Scratch scratch) {
        int d = shape.headDim();
        PackedReads.scores(
                kernels,
                shape.keyCodes,
                keyCodes[kvHead],
                from,
                to,
                0,
                d,
                queries,
                queryOffset,
                rows,
                out,
                outOffset,
                outStride,
                scratch);
        if (shape.rank > 0) {
            float[] work = scratch.work(shape.lowRank.workSize(to - from, rows));
            long at = shape.keyLowRankAt(kvHead);
            shape.lowRank.addScores(
                    kernels, keys.bytes(), at, queries, queryOffset, rows, from, to, out, outOffset, outStride, work);
        }
        if (shape.keyExtremes > 0) {
            long at = shape.keyOutliersAt(kvHead);
            shape.keyOutliers.addScores(
                    keys.bytes(), at, 0, queries, queryOffset, rows, from, to, out, outOffset, outStride);
        }
    }

    /** Sums of the chunk's tokens {@code from} to {@code to - 1} under weights: w D + (w A) B + w S. */
    void addWeighted(
            Kernels kernels,
            int kvHead,
            float[] weights,
            int weightOffset,
            int weightStride,
            int rows,
            int from,
            int to,
            float[] out,
            int outOffset,
            Scratch scratch) {
        int first = kvHead * shape.headDim();
        int end = first + shape.headDim();
        PackedReads.addWeighted(
                kernels,
                shape.valueCodes,
                values.bytes(),
                first,
                end,
                from,
                to,
                weights,
                weightOffset,
                weightStride,
                rows,
                out,
                outOffset,
                scratch);
        if (shape.rank > 0) {
            float[] work = scratch.work(shape.lowRank.workSize(to - from, rows));
            long at = shape.valueLowRankAt(kvHead);
            shape.lowRank.addWeighted(
                    kernels,
                    values.bytes(),
                    at,
                    weights,
                    weightOffset,
                    weightStride,
                    rows,
                    from,
                    to,
                    out,
                    outOffset,
                    work);
        }
        if (shape.valueExtremes > 0) {
            long at = shape.valueOutliersAt();
            shape.valueOutliers.addWeighted(
                    values.bytes(), at, kvHead, weights, weightOffset, weightStride, rows, from, to, out, outOffset);
        }
    }
}
