package dev.kvasir.cache.method.gear;

import dev.kvasir.cache.kernel.Kernels;
import dev.kvasir.cache.kernel.PackedLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** What a chunk's parts stand for, {@code [token][channel of all heads]}, read element by element. */
record ChunkContents(float[][] d, float[][] l, float[][] s) {
    static ChunkContents keys(Chunk chunk) {
        ChunkShape shape = chunk.shape;
        ChunkContents found = empty(shape);
        for (int h = 0; h < shape.kvHeads; h++) {
            int first = h * shape.headDim();
            for (int t = 0; t < shape.tokens; t++) {
                for (int c = 0; c < shape.headDim(); c++) {
                    found.d[t][first + c] = element(shape.keyCodes, chunk.keyCodes[h], c, t);
                }
            }
            found.addLowRank(shape, h, chunk.keys.bytes(), shape.keyLowRankAt(h));
            if (shape.keyExtremes > 0) {
                float[] tile = new float[shape.headDim() * shape.tokens];
                shape.keyOutliers.addTo(
                        chunk.keys.bytes(), shape.keyOutliersAt(h), 0, 0, shape.tokens, tile, 0, shape.tokens, 1);
                found.addOutliers(tile, first, shape.headDim());
            }
        }
        return found;
    }

    static ChunkContents values(Chunk chunk) {
        ChunkShape shape = chunk.shape;
        ChunkContents found = empty(shape);
        int width = shape.kvHeads * shape.headDim();
        for (int t = 0; t < shape.tokens; t++) {
            for (int c = 0; c < width; c++) {
                found.d[t][c] = element(shape.valueCodes, chunk.values.bytes(), t, c);
            }
        }
        for (int h = 0; h < shape.kvHeads; h++) {
            found.addLowRank(shape, h, chunk.values.bytes(), shape.valueLowRankAt(h));
        }
        for (int h = 0; h < shape.kvHeads && shape.valueExtremes > 0; h++) {
            float[] tile = new float[shape.headDim() * shape.tokens];
            shape.valueOutliers.addTo(
                    chunk.values.bytes(), shape.valueOutliersAt(), h, 0, shape.tokens, tile, 0, shape.tokens, 1);
            found.addOutliers(tile, h * shape.headDim(), shape.headDim());
        }
        return found;
    }

    private static ChunkContents empty(ChunkShape shape) {
        int width = shape.kvHeads * shape.headDim();
        return new ChunkContents(
                new float[shape.tokens][width], new float[shape.tokens][width], new float[shape.tokens][width]);
    }

    private static float element(PackedLayout layout, MemorySegment page, int depth, int lane) {
        return layout.scale(page, depth, lane) * layout.code(page, depth, lane) + layout.zero(page, depth, lane);
    }

    private void addLowRank(ChunkShape shape, int kvHead, MemorySegment page, long at) {
        int d = shape.headDim();
        float[] rows = new float[shape.tokens * d];
        shape.lowRank.restore(Kernels.best(), page, at, 0, shape.tokens, rows, 0);
        for (int t = 0; t < shape.tokens; t++) {
            System.arraycopy(rows, t * d, l[t], kvHead * d, d);
        }
    }

    private void addOutliers(float[] tile, int first, int channels) {
        for (int t = 0; t < s.length; t++) {
            for (int c = 0; c < channels; c++) {
                s[t][first + c] += tile[c * s.length + t];
            }
        }
    }

    /** D + L + S. */
    float[][] sum() {
        float[][] sum = new float[d.length][d[0].length];
        for (int t = 0; t < d.length; t++) {
            for (int c = 0; c < d[0].length; c++) {
                sum[t][c] = d[t][c] + l[t][c] + s[t][c];
            }
        }
        return sum;
    }

    /** All bytes of both pages. */
    static byte[][] bytes(Chunk chunk) {
        return new byte[][] {
            chunk.keys.bytes().toArray(ValueLayout.JAVA_BYTE),
            chunk.values.bytes().toArray(ValueLayout.JAVA_BYTE)
        };
    }
}
