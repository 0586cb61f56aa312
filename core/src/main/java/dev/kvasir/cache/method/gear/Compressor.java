package dev.kvasir.cache.method.gear;

import dev.kvasir.cache.correction.Extremes;
import dev.kvasir.cache.correction.OutlierList;
import dev.kvasir.cache.kernel.Kernels;
import dev.kvasir.cache.kernel.PackedLayout;
import dev.kvasir.cache.kernel.PackedLayout.Axis;
import dev.kvasir.cache.store.Panels;
import dev.kvasir.cache.store.Scratch;

/**
 * Turns the rows of a chunk into D, S and L (arXiv 2403.05527, section 3): outliers are taken out and their places filled
 * with the mean of their vector, the rest is quantized, and what that left over, zero at outliers, is approximated head by
 * head.
 *
 * <p>An outlier is stored as what its reconstruction by D lacks, so that D + L + S is a plain sum.
 */
final class Compressor {
    /** Start of every power iteration, so that equal chunks give equal bytes. */
    private static final long SEED = 0x6ea2;

    /** Tokens or channels worked on at a time: whole words of codes of any width. */
    private static final int BATCH = 32;

    private final Kernels kernels;
    private final int loops;

    Compressor(Kernels kernels, int loops) {
        this.kernels = kernels;
        this.loops = loops;
    }

    /** Compresses the keys of one head. */
    void keys(Chunk chunk, int kvHead, Workspace workspace, Workspace.Part part, Scratch scratch) {
        ChunkShape shape = chunk.shape;
        PackedLayout layout = shape.keyCodes;
        int batch = batch(layout);
        part.outliers.clear();
        for (int c = 0; c < layout.depth(); c += batch) {
            keyChannels(chunk, kvHead, c, Math.min(layout.depth(), c + batch), workspace, part, scratch);
        }
        if (shape.keyExtremes > 0) {
            part.outliers.write(shape.keyOutliers, chunk.keys.bytes(), shape.keyOutliersAt(kvHead));
        }
        if (shape.rank > 0) {
            approximate(shape, kvHead, workspace.keys, part);
            shape.lowRank.write(kernels, part.iteration, chunk.keys.bytes(), shape.keyLowRankAt(kvHead));
        }
    }

    /** What must be quantized together across the groups: whole groups where they run along the depth. */
    private static int batch(PackedLayout layout) {
        return layout.axis() == Axis.PER_LANE ? Math.max(BATCH, layout.group()) : BATCH;
    }

    private void keyChannels(
            Chunk chunk, int kvHead, int from, int to, Workspace workspace, Workspace.Part part, Scratch scratch) {
        ChunkShape shape = chunk.shape;
        PackedLayout layout = shape.keyCodes;
        int tokens = shape.tokens;
        int width = shape.kvHeads * shape.headDim();
        int first = kvHead * shape.headDim() + from;
        int channels = to - from;
        int found = 2 * shape.keyExtremes;
        part.fit(channels * tokens, channels * found);
        Panels.transpose(workspace.keys, first, width, tokens, channels, part.vectors, tokens);
        for (int c = 0; c < channels; c++) {
            takeOut(part, c, tokens, shape.keyExtremes);
        }
        float[] work = scratch.work(Kernels.workSize(layout));
        kernels.pack(layout, chunk.keyCodes[kvHead], 0, tokens, from, to, part.vectors, 0, tokens, work);
        if (shape.rank == 0 && found == 0) {
            return;
        }
        float[] tile = scratch.tile(channels * BATCH);
        for (int t = 0; t < tokens; t += BATCH) {
            kernels.unpack(layout, chunk.keyCodes[kvHead], t, t + BATCH, from, to, tile, 0, BATCH, work);
            for (int i = 0; i < BATCH; i++) {
                int row = (t + i) * width + first;
                for (int c = 0; c < channels; c++) {
                    workspace.keys[row + c] -= tile[c * BATCH + i];
                }
            }
        }
        for (int i = 0; i < channels * found; i++) {
            int channel = i / found;
            int at = part.places[i] * width + first + channel;
            part.outliers.add(part.places[i], from + channel, workspace.keys[at]);
            workspace.keys[at] = 0;
        }
    }

    /** Replaces the extremes of the {@code vector}th vector of a part by its mean and remembers where they were. */
    private static void takeOut(Workspace.Part part, int vector, int length, int extremes) {
        if (extremes == 0) {
            return;
        }
        Extremes finder = part.extremes;
        int first = vector * length;
        double sum = 0;
        for (int i = first; i < first + length; i++) {
            sum += part.vectors[i];
        }
        float mean = (float) (sum / length);
        finder.find(part.vectors, first, 1, length, extremes);
        for (int i = 0; i < 2 * extremes; i++) {
            int place = finder.indices()[i];
            part.places[2 * extremes * vector + i] = place;
            part.vectors[first + place] = mean;
        }
    }

    /** Quantizes the values of all heads of some tokens: whole {@linkplain #valueUnit units}. */
    void values(Chunk chunk, int from, int to, Workspace workspace, Workspace.Part part, Scratch scratch) {
        int batch = valueUnit(chunk.shape);
        for (int t = from; t < to; t += batch) {
            valueTokens(chunk, t, t + batch, workspace, part, scratch);
        }
    }

    /** Tokens whose values must be quantized together. */
    static int valueUnit(ChunkShape shape) {
        return batch(shape.valueCodes);
    }

    private void valueTokens(Chunk chunk, int from, int to, Workspace workspace, Workspace.Part part, Scratch scratch) {
        ChunkShape shape = chunk.shape;
        PackedLayout layout = shape.valueCodes;
        int width = layout.lanes();
        int tokens = to - from;
        int found = 2 * shape.valueExtremes;
        part.fit(tokens * width, tokens * found);
        System.arraycopy(workspace.values, from * width, part.vectors, 0, tokens * width);
        for (int t = 0; t < tokens; t++) {
            takeOut(part, t, width, shape.valueExtremes);
        }
        float[] work = scratch.work(Kernels.workSize(layout));
        kernels.pack(layout, chunk.values.bytes(), 0, width, from, to, part.vectors, 0, width, work);
        if (shape.rank == 0 && found == 0) {
            return;
        }
        kernels.unpack(layout, chunk.values.bytes(), 0, width, from, to, part.vectors, 0, width, work);
        for (int i = 0; i < tokens * width; i++) {
            workspace.values[from * width + i] -= part.vectors[i];
        }
        for (int i = 0; i < tokens * found; i++) {
            int at = (from + i / found) * width + part.places[i];
            workspace.channels[from * found + i] = part.places[i];
            workspace.deltas[from * found + i] = workspace.values[at];
            workspace.values[at] = 0;
        }
    }

    /** Writes the outliers of all values, once all are quantized. */
    void valueOutliers(Chunk chunk, Workspace workspace, Workspace.Part part) {
        ChunkShape shape = chunk.shape;
        int found = 2 * shape.valueExtremes;
        if (found == 0) {
            return;
        }
        OutlierList outliers = part.outliers;
        outliers.clear();
        for (int i = 0; i < shape.valueOutliers.entries(); i++) {
            outliers.add(i / found, workspace.channels[i], workspace.deltas[i]);
        }
        outliers.write(shape.valueOutliers, chunk.values.bytes(), shape.valueOutliersAt());
    }

    /** Approximates what is left of the values of one head, once all are quantized. */
    void valueFactors(Chunk chunk, int kvHead, Workspace workspace, Workspace.Part part) {
        ChunkShape shape = chunk.shape;
        if (shape.rank > 0) {
            approximate(shape, kvHead, workspace.values, part);
            shape.lowRank.write(kernels, part.iteration, chunk.values.bytes(), shape.valueLowRankAt(kvHead));
        }
    }

    private void approximate(ChunkShape shape, int kvHead, float[] residual, Workspace.Part part) {
        int d = shape.headDim();
        part.iteration.factor(residual, kvHead * d, shape.kvHeads * d, shape.tokens, d, shape.rank, loops, SEED);
    }
}
