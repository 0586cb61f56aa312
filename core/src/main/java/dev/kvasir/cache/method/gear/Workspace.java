package dev.kvasir.cache.method.gear;

import dev.kvasir.cache.correction.Extremes;
import dev.kvasir.cache.correction.OutlierList;
import dev.kvasir.cache.correction.PowerIteration;
import dev.kvasir.cache.kernel.Kernels;
import dev.kvasir.cache.store.Scratch;
import java.util.concurrent.ConcurrentLinkedDeque;

/** What compressing a chunk needs beside the chunk itself, in floats and on the heap, for as long as it takes. */
final class Workspace {
    /** Floats of a buffer kept between chunks: a long prompt's are not. */
    private static final int KEPT = 1 << 18;

    /** Rows of all heads, {@code [tokens][kvHeads * headDim]}: what came, then what quantizing it left over. */
    float[] keys = {};

    float[] values = {};
    /** Channels and deltas of the values' outliers, {@code [tokens][2 * valueExtremes]}. */
    int[] channels = {};

    float[] deltas = {};
    /** One for each part of a step that runs beside others. */
    private final Part[] parts;

    private Workspace(Kernels kernels, int parts) {
        this.parts = new Part[parts];
        for (int i = 0; i < parts; i++) {
            this.parts[i] = new Part(kernels);
        }
    }

    /** What one part needs for itself. */
    static final class Part {
        final PowerIteration iteration;
        final Extremes extremes = new Extremes();
        final OutlierList outliers = new OutlierList();
        /** Numbers about to be quantized, outliers replaced. */
        float[] vectors = {};
        /** Places of outliers within {@link #vectors}. */
        int[] places = {};

        private Part(Kernels kernels) {
            iteration = new PowerIteration(kernels);
        }

        void fit(int numbers, int found) {
            vectors = Scratch.grown(vectors, numbers);
            places = places.length >= found ? places : new int[found];
        }
    }

    Part part(int i) {
        return parts[i];
    }

    private void fit(ChunkShape shape) {
        int size = shape.tokens * shape.kvHeads * shape.headDim();
        keys = Scratch.grown(keys, size);
        values = Scratch.grown(values, size);
        int found = shape.valueOutliers.entries();
        channels = channels.length >= found ? channels : new int[found];
        deltas = Scratch.grown(deltas, found);
    }

    private boolean large() {
        return keys.length > KEPT;
    }

    /** Workspaces for all layers of a sequence and its forks, as many as work at the same time. */
    static final class Store {
        private final ConcurrentLinkedDeque<Workspace> waiting = new ConcurrentLinkedDeque<>();
        private final Kernels kernels;
        private final int parts;

        Store(Kernels kernels, int parts) {
            this.kernels = kernels;
            this.parts = parts;
        }

        /** A workspace for a chunk of that shape. */
        Workspace take(ChunkShape shape) {
            Workspace found = waiting.poll();
            Workspace workspace = found == null ? new Workspace(kernels, parts) : found;
            workspace.fit(shape);
            return workspace;
        }

        void giveBack(Workspace workspace) {
            if (!workspace.large()) {
                waiting.push(workspace);
            }
        }
    }
}
