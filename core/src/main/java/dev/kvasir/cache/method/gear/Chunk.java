package dev.kvasir.cache.method.gear;

import static dev.kvasir.cache.kernel.Kernels.PANEL;

import dev.kvasir.cache.Page;
import dev.kvasir.cache.PagePool;
import dev.kvasir.cache.kernel.Kernels;
import dev.kvasir.cache.kernel.PackedLayout;
import dev.kvasir.cache.store.PackedReads;
import dev.kvasir.cache.store.Scratch;
import java.lang.foreign.MemorySegment;

/**
 * Tokens compressed at once, X ~ D + L + S: written once, then shared by all forks. A read by few query rows goes over the
 * three parts in turn; for many rows a tile of 32 tokens of D + S is made once for all of them.
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
        PackedLayout codes = shape.keyCodes;
        boolean tiles = shape.keyExtremes > 0 && rows > kernels.rowsFromCodes(codes);
        if (tiles) {
            scoresOfTiles(kernels, kvHead, queries, queryOffset, rows, from, to, out, outOffset, outStride, scratch);
        } else {
            PackedReads.scores(
                    kernels,
                    codes,
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
        }
        if (shape.rank > 0) {
            float[] work = scratch.work(shape.lowRank.workSize(to - from, rows));
            long at = shape.keyLowRankAt(kvHead);
            shape.lowRank.addScores(
                    kernels, keys.bytes(), at, queries, queryOffset, rows, from, to, out, outOffset, outStride, work);
        }
        if (shape.keyExtremes > 0 && !tiles) {
            long at = shape.keyOutliersAt(kvHead);
            shape.keyOutliers.addScores(
                    keys.bytes(), at, 0, queries, queryOffset, rows, from, to, out, outOffset, outStride);
        }
    }

    private void scoresOfTiles(
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
        long at = shape.keyOutliersAt(kvHead);
        float[] work = scratch.work(Kernels.workSize(shape.keyCodes));
        float[] tile = scratch.tile(d * PANEL);
        for (int t = from; t < to; t += PANEL) {
            kernels.unpack(shape.keyCodes, keyCodes[kvHead], t, t + PANEL, 0, d, tile, 0, PANEL, work);
            shape.keyOutliers.addTo(keys.bytes(), at, 0, t, t + PANEL, tile, 0, PANEL, 1);
            kernels.dots(queries, queryOffset, d, rows, tile, 0, d, out, outOffset + t - from, outStride);
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
        int d = shape.headDim();
        PackedLayout codes = shape.valueCodes;
        boolean tiles = shape.valueExtremes > 0 && rows > kernels.rowsFromCodes(codes);
        if (tiles) {
            addTiles(kernels, kvHead, weights, weightOffset, weightStride, rows, from, to, out, outOffset, scratch);
        } else {
            PackedReads.addWeighted(
                    kernels,
                    codes,
                    values.bytes(),
                    kvHead * d,
                    (kvHead + 1) * d,
                    from,
                    to,
                    weights,
                    weightOffset,
                    weightStride,
                    rows,
                    out,
                    outOffset,
                    scratch);
        }
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
        if (shape.valueExtremes > 0 && !tiles) {
            long at = shape.valueOutliersAt();
            shape.valueOutliers.addWeighted(
                    values.bytes(), at, kvHead, weights, weightOffset, weightStride, rows, from, to, out, outOffset);
        }
    }

    private void addTiles(
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
        int d = shape.headDim();
        PackedLayout codes = shape.valueCodes;
        float[] work = scratch.work(Kernels.workSize(codes));
        float[] tile = scratch.tile(d * PANEL);
        for (int first = from / PANEL * PANEL; first < to; first += PANEL) {
            int last = first + PANEL;
            kernels.unpack(codes, values.bytes(), kvHead * d, (kvHead + 1) * d, first, last, tile, 0, d, work);
            shape.valueOutliers.addTo(values.bytes(), shape.valueOutliersAt(), kvHead, first, last, tile, 0, 1, d);
            int begin = Math.max(from, first);
            int count = Math.min(to, last) - begin;
            int w = weightOffset + begin - from;
            kernels.sums(weights, w, weightStride, rows, tile, (begin - first) * d, d, count, d, out, outOffset, d);
        }
    }
}
