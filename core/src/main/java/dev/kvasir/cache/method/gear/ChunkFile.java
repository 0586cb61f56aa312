package dev.kvasir.cache.method.gear;

import dev.kvasir.cache.CacheFileException;
import dev.kvasir.cache.Page;
import dev.kvasir.cache.PagePool;
import java.io.DataInput;
import java.io.DataOutput;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;

/** Chunks in saved caches: how many, then of each its tokens, rank and both pages. */
final class ChunkFile {
    private static final int PIECE = 1 << 16;

    private ChunkFile() {}

    static void write(List<Chunk> chunks, DataOutput out) throws IOException {
        out.writeInt(chunks.size());
        for (Chunk chunk : chunks) {
            write(chunk, out);
        }
    }

    /** Adds the chunks of a cache of {@code size} tokens, which leave less than a buffer. */
    static void read(GearPlan plan, DataInput in, List<Chunk> chunks, int size, PagePool pool) throws IOException {
        int found = in.readInt();
        if (found < 0 || found > size / plan.buffer) {
            throw new CacheFileException(
                    "gear chunks: found " + found + ", allowed for " + size + " tokens are 0 to " + size / plan.buffer);
        }
        int tokens = 0;
        for (int i = 0; i < found; i++) {
            chunks.add(read(plan, in, tokens, size, pool));
            tokens = chunks.getLast().end();
        }
        if (size - tokens >= plan.buffer) {
            throw new CacheFileException("gear chunks: " + tokens + " of " + size + " tokens, which leaves "
                    + (size - tokens) + " for a buffer of " + plan.buffer);
        }
    }

    private static void write(Chunk chunk, DataOutput out) throws IOException {
        out.writeInt(chunk.shape.tokens);
        out.writeInt(chunk.shape.rank);
        byte[] piece = new byte[PIECE];
        for (Page page : new Page[] {chunk.keys, chunk.values}) {
            for (long at = 0; at < page.size(); at += PIECE) {
                int length = (int) Math.min(PIECE, page.size() - at);
                MemorySegment.copy(page.bytes(), ValueLayout.JAVA_BYTE, at, piece, 0, length);
                out.write(piece, 0, length);
            }
        }
    }

    /**
     * The chunk that begins at slot {@code start}, in a cache of {@code size} tokens. Takes its pages only when their bytes have
     * arrived.
     */
    private static Chunk read(GearPlan plan, DataInput in, int start, int size, PagePool pool) throws IOException {
        int tokens = in.readInt();
        if (tokens <= 0 || tokens > size - start || tokens % plan.buffer != 0) {
            throw new CacheFileException("gear chunk at token " + start + ": found " + tokens
                    + " tokens, allowed are multiples of " + plan.buffer + " up to " + (size - start));
        }
        int rank = in.readInt();
        if (rank != plan.rank && rank != plan.decodeRank) {
            throw new CacheFileException("gear chunk at token " + start + ": found rank " + rank + ", allowed are "
                    + plan.rank + " and " + plan.decodeRank);
        }
        ChunkShape shape = new ChunkShape(plan, tokens, rank);
        List<byte[]> keys = pieces(in, shape.keyBytes());
        List<byte[]> values = pieces(in, shape.valueBytes());
        Chunk chunk;
        try (PagePool.Claim claim = pool.claim(Chunk.bytes(shape))) {
            chunk = new Chunk(shape, start, claim);
        }
        fill(chunk.keys, keys);
        fill(chunk.values, values);
        if (!sound(chunk)) {
            chunk.release(pool);
            throw new CacheFileException("gear chunk at token " + start + ": outliers out of place");
        }
        return chunk;
    }

    private static List<byte[]> pieces(DataInput in, long size) throws IOException {
        List<byte[]> pieces = new ArrayList<>();
        for (long at = 0; at < size; at += PIECE) {
            byte[] piece = new byte[(int) Math.min(PIECE, size - at)];
            in.readFully(piece);
            pieces.add(piece);
        }
        return pieces;
    }

    private static void fill(Page page, List<byte[]> pieces) {
        long at = 0;
        for (byte[] piece : pieces) {
            MemorySegment.copy(piece, 0, page.bytes(), ValueLayout.JAVA_BYTE, at, piece.length);
            at += piece.length;
        }
    }

    private static boolean sound(Chunk chunk) {
        ChunkShape shape = chunk.shape;
        boolean sound =
                shape.valueExtremes == 0 || shape.valueOutliers.sound(chunk.values.bytes(), shape.valueOutliersAt());
        for (int h = 0; h < shape.kvHeads && shape.keyExtremes > 0; h++) {
            sound &= shape.keyOutliers.sound(chunk.keys.bytes(), shape.keyOutliersAt(h));
        }
        return sound;
    }
}
