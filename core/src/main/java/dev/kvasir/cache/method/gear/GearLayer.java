package dev.kvasir.cache.method.gear;

import dev.kvasir.cache.Footprint;
import dev.kvasir.cache.PagePool;
import dev.kvasir.cache.Queries;
import dev.kvasir.cache.TokenStates;
import dev.kvasir.cache.attention.SingleLayer;
import dev.kvasir.cache.kernel.Kernels;
import dev.kvasir.cache.store.ChunkBuffer;
import dev.kvasir.cache.store.KeyReader;
import dev.kvasir.cache.store.Scratch;
import dev.kvasir.cache.store.ValueReader;
import java.io.DataInput;
import java.io.DataOutput;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Compressed chunks, oldest first, and behind them a buffer of exact tokens for each head. A step that fills the buffer
 * turns what is in it and all whole buffers of its own tokens into one more chunk; chunks never change.
 *
 * <p>Parts of a step: the keys of each head, and beside them shares of the tokens' values of all heads; then, all values
 * being quantized, the factors of each head's values, and the values' outliers.
 */
final class GearLayer implements SingleLayer {
    private final GearPlan plan;
    private final PagePool pool;
    private final Kernels kernels;
    private final Workspace.Store workspaces;
    private final Compressor compressor;
    private final List<Chunk> chunks;
    private final ChunkBuffer[] buffers;
    private final GearSlots slots;
    private final KeyReader[] keys;
    private final ValueReader[] values;
    /** The pages of the chunk that the coming step makes. */
    private @Nullable Chunk coming;

    // The step at hand.
    private @Nullable Workspace workspace;
    private float[] newKeys = {};
    private float[] newValues = {};
    private int count;
    /** Tokens of the chunk being made that the buffer held. */
    private int buffered;
    /** Tokens of the step that go into the chunk being made. */
    private int compressed;

    /** An empty layer. */
    GearLayer(GearPlan plan, PagePool pool, Kernels kernels, Workspace.Store workspaces) {
        this(plan, pool, kernels, workspaces, new ArrayList<>(), new ChunkBuffer[plan.kvHeads]);
        for (int h = 0; h < buffers.length; h++) {
            buffers[h] = new ChunkBuffer(pool, kernels, plan.dtype, plan.headDim, plan.buffer);
        }
    }

    private GearLayer(
            GearPlan plan,
            PagePool pool,
            Kernels kernels,
            Workspace.Store workspaces,
            List<Chunk> chunks,
            ChunkBuffer[] buffers) {
        this.plan = plan;
        this.pool = pool;
        this.kernels = kernels;
        this.workspaces = workspaces;
        this.compressor = new Compressor(kernels, plan.loops);
        this.chunks = chunks;
        this.buffers = buffers;
        slots = new GearSlots(kernels, chunks, buffers);
        keys = new KeyReader[plan.kvHeads];
        values = new ValueReader[plan.kvHeads];
        for (int h = 0; h < plan.kvHeads; h++) {
            keys[h] = slots.keys(h);
            values[h] = slots.values(h);
        }
    }

    /** The chunks, oldest first. */
    List<Chunk> chunks() {
        return chunks;
    }

    /** The exact tokens of a head. */
    ChunkBuffer buffer(int kvHead) {
        return buffers[kvHead];
    }

    @Override
    public int size() {
        return slots.size();
    }

    @Override
    public Slots slots() {
        return Slots.IN_ORDER;
    }

    @Override
    public KeyReader keys(int kvHead) {
        return keys[kvHead];
    }

    @Override
    public ValueReader values(int kvHead) {
        return values[kvHead];
    }

    @Override
    public long wantedBytes(int tokens) {
        long wanted = 0;
        for (ChunkBuffer buffer : buffers) {
            wanted += buffer.wantedBytes(tokens);
        }
        int flushed = buffers[0].flushed(tokens);
        if (flushed > 0 && !hasRoom(flushed, tokens)) {
            wanted += Chunk.bytes(plan.chunk(flushed, tokens));
        }
        return wanted;
    }

    /** Whether the pages for a step that compresses {@code flushed} tokens are here. */
    private boolean hasRoom(int flushed, int step) {
        Chunk chunk = coming;
        return chunk != null && chunk.shape.tokens == flushed && chunk.shape.rank == plan.rankOf(step);
    }

    @Override
    public void reserve(int tokens, PagePool.Claim claim) {
        for (ChunkBuffer buffer : buffers) {
            buffer.reserve(tokens, claim);
        }
        int flushed = buffers[0].flushed(tokens);
        if (flushed > 0 && !hasRoom(flushed, tokens)) {
            dropComing();
            coming = new Chunk(plan.chunk(flushed, tokens), slots.inChunks(), claim);
        }
    }

    private void dropComing() {
        if (coming != null) {
            coming.release(pool);
            coming = null;
        }
    }

    @Override
    public void begin(TokenStates states, Queries queries) {
        newKeys = states.keys();
        newValues = states.values();
        count = states.count();
        buffered = buffers[0].size();
        int flushed = buffers[0].flushed(count);
        if (flushed == 0) {
            dropComing();
            compressed = 0;
            return;
        }
        compressed = flushed - buffered;
        workspace = workspaces.take(coming().shape);
    }

    private Chunk coming() {
        Chunk chunk = coming;
        if (chunk == null) {
            throw new IllegalStateException("no room was reserved for a chunk");
        }
        return chunk;
    }

    @Override
    public int appendParts() {
        return 2 * plan.kvHeads;
    }

    /** The keys of a head, or a share of the tokens' values and the buffer of a head's values. */
    @Override
    public void append(int part, Scratch scratch) {
        int kvHead = part % plan.kvHeads;
        Workspace chunkWork = workspace;
        if (part < plan.kvHeads) {
            if (chunkWork != null) {
                gatherKeys(kvHead, chunkWork.keys, scratch);
                compressor.keys(coming(), kvHead, chunkWork, chunkWork.part(part), scratch);
                buffers[kvHead].restartKeys();
            }
            int left = (compressed * plan.kvHeads + kvHead) * plan.headDim;
            buffers[kvHead].appendKeys(newKeys, left, plan.width(), count - compressed, scratch);
        } else if (chunkWork == null) {
            bufferValues(kvHead, scratch);
        } else {
            int unit = Compressor.valueUnit(coming().shape);
            int units = (buffered + compressed) / unit;
            int from = (int) ((long) units * kvHead / plan.kvHeads) * unit;
            int to = (int) ((long) units * (kvHead + 1) / plan.kvHeads) * unit;
            gatherValues(from, to, chunkWork.values, scratch);
            compressor.values(coming(), from, to, chunkWork, chunkWork.part(part), scratch);
        }
    }

    private void bufferValues(int kvHead, Scratch scratch) {
        int left = (compressed * plan.kvHeads + kvHead) * plan.headDim;
        buffers[kvHead].appendValues(newValues, left, plan.width(), count - compressed, scratch);
    }

    /** Rows of a head's keys, rounded as the buffer rounds them, so that it does not matter which tokens it held. */
    private void gatherKeys(int kvHead, float[] rows, Scratch scratch) {
        int first = kvHead * plan.headDim;
        int width = plan.width();
        buffers[kvHead].copyKeys(rows, first, width, scratch);
        for (int t = 0; t < compressed; t++) {
            int at = (buffered + t) * width + first;
            System.arraycopy(newKeys, t * width + first, rows, at, plan.headDim);
            plan.dtype.round(rows, at, plan.headDim);
        }
    }

    /** Rows {@code from} to {@code to - 1} of all heads' values, as {@link #gatherKeys}. */
    private void gatherValues(int from, int to, float[] rows, Scratch scratch) {
        int width = plan.width();
        for (int h = 0; h < plan.kvHeads && from < buffered; h++) {
            buffers[h].copyValues(from, Math.min(to, buffered), rows, h * plan.headDim, width, scratch);
        }
        int first = Math.max(from, buffered);
        if (first < to) {
            int size = (to - first) * width;
            System.arraycopy(newValues, (first - buffered) * width, rows, first * width, size);
            plan.dtype.round(rows, first * width, size);
        }
    }

    @Override
    public int completeParts() {
        return workspace == null ? 0 : plan.kvHeads + 1;
    }

    /** The factors of a head's values and its buffer, or the outliers of all values. */
    @Override
    public void complete(int part, Scratch scratch) {
        Workspace chunkWork = workspace;
        if (chunkWork == null) {
            throw new IllegalStateException("no chunk is being made");
        }
        if (part == plan.kvHeads) {
            compressor.valueOutliers(coming(), chunkWork, chunkWork.part(part));
        } else {
            compressor.valueFactors(coming(), part, chunkWork, chunkWork.part(part));
            buffers[part].restartValues();
            bufferValues(part, scratch);
        }
    }

    @Override
    public void end() {
        if (workspace != null) {
            chunks.add(coming());
            coming = null;
            workspaces.giveBack(workspace);
            workspace = null;
        }
        newKeys = new float[0];
        newValues = new float[0];
    }

    /** What is compressed stays: only the buffer can be forgotten. */
    @Override
    public int smallestSize() {
        return slots.inChunks();
    }

    @Override
    public void truncate(int size) {
        dropComing();
        for (ChunkBuffer buffer : buffers) {
            buffer.truncate(size - slots.inChunks());
        }
    }

    @Override
    public Footprint footprint() {
        Footprint sum = coming == null ? Footprint.ZERO : coming.shape.footprint();
        for (Chunk chunk : chunks) {
            sum = sum.plus(chunk.shape.footprint());
        }
        for (ChunkBuffer buffer : buffers) {
            sum = sum.plus(buffer.footprint());
        }
        return sum;
    }

    @Override
    public GearLayer fork() {
        ChunkBuffer[] copies = new ChunkBuffer[buffers.length];
        for (int h = 0; h < copies.length; h++) {
            copies[h] = buffers[h].fork();
        }
        chunks.forEach(chunk -> chunk.share(pool));
        return new GearLayer(plan, pool, kernels, workspaces, new ArrayList<>(chunks), copies);
    }

    @Override
    public void write(DataOutput out) throws IOException {
        ChunkFile.write(chunks, out);
        for (ChunkBuffer buffer : buffers) {
            buffer.write(out);
        }
    }

    @Override
    public void read(DataInput in, int size) throws IOException {
        ChunkFile.read(plan, in, chunks, size, pool);
        for (ChunkBuffer buffer : buffers) {
            buffer.read(in, size - slots.inChunks());
        }
    }

    @Override
    public void release() {
        dropComing();
        chunks.forEach(chunk -> chunk.release(pool));
        chunks.clear();
        for (ChunkBuffer buffer : buffers) {
            buffer.release();
        }
    }
}
