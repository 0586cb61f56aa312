package dev.kvasir.cache.method.vidkv;

import dev.kvasir.cache.Footprint;
import dev.kvasir.cache.PagePool;
import dev.kvasir.cache.kernel.Kernels;
import dev.kvasir.cache.store.BlockKeys;
import dev.kvasir.cache.store.PackedKeys;
import dev.kvasir.cache.store.Panels;
import dev.kvasir.cache.store.Scratch;
import java.io.DataInput;
import java.io.DataOutput;
import java.io.IOException;
import java.util.Optional;

/**
 * Quantized keys of a head: abnormal channels with 2 bits, the others as one bit for each slot of their spectrum. A query is
 * brought to the same spectrum once a step; no key is ever transformed back to be read.
 *
 * <pre>
 *   score = &lt;q abnormal, codes&gt; + &lt;T q normal, signs&gt;
 * </pre>
 */
final class VidKeys implements BlockKeys {
    private final PagePool pool;
    private final Kernels kernels;
    private final VidKvSettings settings;
    private final Spectrum spectrum;
    private Parts parts;
    /** Where everything goes when it is quantized again. */
    private Optional<Parts> next = Optional.empty();

    private ChannelSplit split;

    /** The two stores; there is none for no channels. */
    private record Parts(Optional<PackedKeys> abnormal, Optional<PackedKeys> normal) {
        static Parts empty(VidKvSettings settings, PagePool pool, Kernels kernels) {
            return new Parts(
                    settings.abnormal > 0
                            ? Optional.of(new PackedKeys(pool, kernels, settings.abnormalKeys()))
                            : Optional.empty(),
                    settings.normal > 0
                            ? Optional.of(new PackedKeys(pool, kernels, settings.normalKeys()))
                            : Optional.empty());
        }

        int size() {
            return abnormal.or(() -> normal).orElseThrow().size();
        }

        long wantedBytes(int tokens) {
            long wanted = 0;
            if (abnormal.isPresent()) {
                wanted += abnormal.get().wantedBytes(tokens);
            }
            if (normal.isPresent()) {
                wanted += normal.get().wantedBytes(tokens);
            }
            return wanted;
        }

        void reserve(int tokens, PagePool.Claim claim) {
            abnormal.ifPresent(store -> store.reserve(tokens, claim));
            normal.ifPresent(store -> store.reserve(tokens, claim));
        }

        Footprint footprint() {
            Footprint none = Footprint.ZERO;
            return abnormal.map(PackedKeys::footprint)
                    .orElse(none)
                    .plus(normal.map(PackedKeys::footprint).orElse(none));
        }

        Parts fork() {
            return new Parts(abnormal.map(PackedKeys::fork), normal.map(PackedKeys::fork));
        }

        void release() {
            abnormal.ifPresent(PackedKeys::release);
            normal.ifPresent(PackedKeys::release);
        }
    }

    VidKeys(PagePool pool, Kernels kernels, VidKvSettings settings, Spectrum spectrum) {
        this(
                pool,
                kernels,
                settings,
                spectrum,
                Parts.empty(settings, pool, kernels),
                ChannelSplit.first(settings.headDim, settings.abnormal));
    }

    private VidKeys(
            PagePool pool,
            Kernels kernels,
            VidKvSettings settings,
            Spectrum spectrum,
            Parts parts,
            ChannelSplit split) {
        this.pool = pool;
        this.kernels = kernels;
        this.settings = settings;
        this.spectrum = spectrum;
        this.parts = parts;
        this.split = split;
    }

    /** The channels of 2 bits. */
    Optional<PackedKeys> abnormal() {
        return parts.abnormal();
    }

    /** The slots of 1 bit. */
    Optional<PackedKeys> normal() {
        return parts.normal();
    }

    ChannelSplit split() {
        return split;
    }

    /** Decides which channels are abnormal, before there are keys. */
    void split(ChannelSplit chosen) {
        split = chosen;
    }

    /** Quantizes again what is stored, with other channels, into the pages reserved for that. */
    void requantize(ChannelSplit chosen, Scratch scratch) {
        Parts old = parts;
        Parts fresh = next.orElseThrow();
        int group = settings.group;
        float[] columns = new float[settings.headDim * group];
        ChannelSplit before = split;
        for (int slot = 0; slot < old.size(); slot += group) {
            restore(old, before, slot, columns, scratch);
            store(fresh, chosen, columns, 0, group, scratch);
        }
        old.release();
        parts = fresh;
        next = Optional.empty();
        split = chosen;
    }

    /** Writes a group of keys from a slot on, as they are now, to {@code columns[channel][token]}. */
    void restore(int slot, float[] columns, Scratch scratch) {
        restore(parts, split, slot, columns, scratch);
    }

    private void restore(Parts from, ChannelSplit by, int slot, float[] columns, Scratch scratch) {
        int group = settings.group;
        float[] part = scratch.spare((settings.headDim + spectrum.columns()) * group);
        from.abnormal().ifPresent(keys -> {
            keys.unpack(slot, slot + group, part, 0, group, scratch);
            scatter(part, by.abnormal(), columns);
        });
        from.normal().ifPresent(keys -> {
            int channels = settings.normal * group;
            keys.unpack(slot, slot + group, part, channels, group, scratch);
            spectrum.back(part, channels, group, part, 0);
            scatter(part, by.normal(), columns);
        });
    }

    private void scatter(float[] part, int[] channels, float[] columns) {
        for (int i = 0; i < channels.length; i++) {
            System.arraycopy(part, i * settings.group, columns, channels[i] * settings.group, settings.group);
        }
    }

    @Override
    public int block() {
        return settings.group;
    }

    @Override
    public int size() {
        return parts.size();
    }

    @Override
    public long wantedBytes(int tokens) {
        if (again(tokens)) {
            return next.orElseGet(() -> Parts.empty(settings, pool, kernels)).wantedBytes(size() + tokens);
        }
        return parts.wantedBytes(tokens);
    }

    @Override
    public void reserve(int tokens, PagePool.Claim claim) {
        if (again(tokens)) {
            Parts fresh = next.orElseGet(() -> Parts.empty(settings, pool, kernels));
            fresh.reserve(size() + tokens, claim);
            next = Optional.of(fresh);
        } else {
            parts.reserve(tokens, claim);
        }
    }

    /** Whether everything will be quantized again for so many more tokens. */
    private boolean again(int tokens) {
        return settings.requantAll && tokens > 0 && size() > 0;
    }

    @Override
    public void append(float[] rows, int offset, int stride, int count, Scratch scratch) {
        int group = settings.group;
        for (int t = 0; t < count; t += group) {
            float[] tile = scratch.tile(settings.headDim * group);
            Panels.transpose(rows, offset + t * stride, stride, group, settings.headDim, tile, group);
            appendColumns(tile, 0, group, group, scratch);
        }
    }

    @Override
    public void appendColumns(float[] columns, int offset, int stride, int count, Scratch scratch) {
        for (int t = 0; t < count; t += settings.group) {
            store(parts, split, columns, offset + t, stride, scratch);
        }
    }

    private void store(Parts to, ChannelSplit by, float[] columns, int offset, int stride, Scratch scratch) {
        int group = settings.group;
        float[] part = scratch.spare((settings.headDim + spectrum.columns()) * group);
        if (to.abnormal().isPresent()) {
            gather(columns, offset, stride, by.abnormal(), part);
            to.abnormal().get().appendColumns(part, 0, group, group, scratch);
        }
        if (to.normal().isPresent()) {
            gather(columns, offset, stride, by.normal(), part);
            int slots = settings.normal * group;
            spectrum.tokens(part, 0, group, part, slots);
            to.normal().get().appendColumns(part, slots, group, group, scratch);
        }
    }

    private void gather(float[] columns, int offset, int stride, int[] channels, float[] part) {
        for (int i = 0; i < channels.length; i++) {
            System.arraycopy(columns, offset + channels[i] * stride, part, i * settings.group, settings.group);
        }
    }

    /** Of a block of rows the abnormal channels come first: {@code [rows][abnormal] | [rows][slots]}. */
    @Override
    public int queryWidth(int width) {
        return settings.abnormal + spectrum.columns();
    }

    @Override
    public void prepare(float[] queries, int offset, int rows, int width, float[] out, int outOffset, Scratch scratch) {
        int[] abnormal = split.abnormal();
        int[] normal = split.normal();
        float[] gathered = scratch.spare(normal.length);
        int slots = outOffset + rows * abnormal.length;
        for (int r = 0; r < rows; r++) {
            int row = offset + r * width;
            for (int i = 0; i < abnormal.length; i++) {
                out[outOffset + r * abnormal.length + i] = queries[row + abnormal[i]];
            }
            for (int i = 0; i < normal.length; i++) {
                gathered[i] = queries[row + normal[i]];
            }
            if (normal.length > 0) {
                spectrum.row(gathered, 0, out, slots + r * spectrum.columns());
            }
        }
    }

    @Override
    public void scores(
            float[] queries,
            int queryOffset,
            int rows,
            int from,
            int to,
            float[] out,
            int outOffset,
            int outStride,
            Scratch scratch) {
        Optional<PackedKeys> abnormal = parts.abnormal();
        Optional<PackedKeys> normal = parts.normal();
        int slots = queryOffset + rows * settings.abnormal;
        if (abnormal.isEmpty()) {
            normal.orElseThrow().scores(queries, slots, rows, from, to, out, outOffset, outStride, scratch);
            return;
        }
        abnormal.get().scores(queries, queryOffset, rows, from, to, out, outOffset, outStride, scratch);
        if (normal.isEmpty()) {
            return;
        }
        int stride = to - from + Kernels.PANEL;
        float[] rest = scratch.spare(rows * stride);
        normal.get().scores(queries, slots, rows, from, to, rest, 0, stride, scratch);
        for (int r = 0; r < rows; r++) {
            int o = outOffset + r * outStride;
            for (int i = 0; i < to - from; i++) {
                out[o + i] += rest[r * stride + i];
            }
        }
    }

    @Override
    public int smallestSize() {
        return size();
    }

    @Override
    public void truncate(int newSize) {
        if (newSize != size()) {
            throw new IllegalArgumentException("truncation to " + newSize + " of " + size());
        }
    }

    @Override
    public Footprint footprint() {
        return parts.footprint().plus(next.map(Parts::footprint).orElse(Footprint.ZERO));
    }

    @Override
    public VidKeys fork() {
        return new VidKeys(pool, kernels, settings, spectrum, parts.fork(), split);
    }

    @Override
    public void write(DataOutput out) throws IOException {
        if (parts.abnormal().isPresent()) {
            parts.abnormal().get().write(out);
        }
        if (parts.normal().isPresent()) {
            parts.normal().get().write(out);
        }
    }

    @Override
    public void read(DataInput in, int size) throws IOException {
        if (parts.abnormal().isPresent()) {
            parts.abnormal().get().read(in, size);
        }
        if (parts.normal().isPresent()) {
            parts.normal().get().read(in, size);
        }
    }

    @Override
    public void release() {
        parts.release();
        next.ifPresent(Parts::release);
        next = Optional.empty();
    }
}
