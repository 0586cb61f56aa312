package dev.kvasir.cache.method.gear;

import dev.kvasir.cache.kernel.Kernels;
import dev.kvasir.cache.store.ChunkBuffer;
import dev.kvasir.cache.store.KeyReader;
import dev.kvasir.cache.store.Scratch;
import dev.kvasir.cache.store.ValueReader;
import java.util.List;

/** The slots of a layer, read as one: those of its chunks in a row, then those of the buffers. */
final class GearSlots {
    private final Kernels kernels;
    private final List<Chunk> chunks;
    private final ChunkBuffer[] buffers;

    /** Reads chunks and buffers that change between steps. */
    GearSlots(Kernels kernels, List<Chunk> chunks, ChunkBuffer[] buffers) {
        this.kernels = kernels;
        this.chunks = chunks;
        this.buffers = buffers;
    }

    /** Slots in use. */
    int size() {
        return inChunks() + buffers[0].size();
    }

    /** Slots of chunks. */
    int inChunks() {
        return chunks.isEmpty() ? 0 : chunks.getLast().end();
    }

    KeyReader keys(int kvHead) {
        return new Keys(kvHead);
    }

    ValueReader values(int kvHead) {
        return new Values(kvHead);
    }

    /** The chunk that has a slot; their number if the buffer has it. */
    private int chunkOf(int slot) {
        int low = 0;
        int high = chunks.size();
        while (low < high) {
            int middle = (low + high) >>> 1;
            if (chunks.get(middle).end() <= slot) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        return low;
    }

    private final class Keys implements KeyReader {
        private final int kvHead;

        Keys(int kvHead) {
            this.kvHead = kvHead;
        }

        @Override
        public int size() {
            return GearSlots.this.size();
        }

        @Override
        public void scores(
                float[] queries,
                int query,
                int rows,
                int from,
                int to,
                float[] out,
                int outOffset,
                int outStride,
                Scratch scratch) {
            int slot = from;
            for (int i = chunkOf(from); i < chunks.size() && slot < to; i++) {
                Chunk chunk = chunks.get(i);
                int end = Math.min(to, chunk.end());
                int at = outOffset + slot - from;
                int first = slot - chunk.start;
                int last = end - chunk.start;
                chunk.scores(kernels, kvHead, queries, query, rows, first, last, out, at, outStride, scratch);
                slot = end;
            }
            if (slot < to) {
                KeyReader newest = buffers[kvHead].keys();
                int first = slot - inChunks();
                int last = to - inChunks();
                int at = outOffset + slot - from;
                newest.scores(queries, query, rows, first, last, out, at, outStride, scratch);
            }
        }
    }

    private final class Values implements ValueReader {
        private final int kvHead;

        Values(int kvHead) {
            this.kvHead = kvHead;
        }

        @Override
        public int size() {
            return GearSlots.this.size();
        }

        @Override
        public void addWeighted(
                float[] weights,
                int weightOffset,
                int stride,
                int rows,
                int from,
                int to,
                float[] out,
                int outOffset,
                Scratch scratch) {
            int slot = from;
            for (int i = chunkOf(from); i < chunks.size() && slot < to; i++) {
                Chunk chunk = chunks.get(i);
                int end = Math.min(to, chunk.end());
                int w = weightOffset + slot - from;
                int first = slot - chunk.start;
                int last = end - chunk.start;
                chunk.addWeighted(kernels, kvHead, weights, w, stride, rows, first, last, out, outOffset, scratch);
                slot = end;
            }
            if (slot < to) {
                ValueReader newest = buffers[kvHead].values();
                int w = weightOffset + slot - from;
                int first = slot - inChunks();
                newest.addWeighted(weights, w, stride, rows, first, to - inChunks(), out, outOffset, scratch);
            }
        }
    }
}
