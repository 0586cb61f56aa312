package dev.kvasir.cache.method.vidkv;

import dev.kvasir.cache.CacheShape;
import dev.kvasir.cache.Footprint;
import dev.kvasir.cache.Page;
import dev.kvasir.cache.PagePool;
import dev.kvasir.cache.Queries;
import dev.kvasir.cache.TokenStates;
import dev.kvasir.cache.attention.Head;
import dev.kvasir.cache.attention.HeadStores;
import dev.kvasir.cache.attention.SingleLayer;
import dev.kvasir.cache.kernel.Kernels;
import dev.kvasir.cache.store.ExactKeys;
import dev.kvasir.cache.store.ExactValues;
import dev.kvasir.cache.store.FlushingKeys;
import dev.kvasir.cache.store.FlushingValues;
import dev.kvasir.cache.store.KeyReader;
import dev.kvasir.cache.store.Scratch;
import dev.kvasir.cache.store.ValueReader;
import java.io.DataInput;
import java.io.DataOutput;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Optional;

/**
 * A layer of VidKV: heads that remember by themselves but for the choice of their abnormal channels, which is made for all of
 * them when the first tokens are quantized, from every key there is then.
 *
 * <p>The choice is kept in a page of its own, a bit for each channel, for the layer or for each head.
 */
final class VidKvLayer implements SingleLayer {
    private final CacheShape shape;
    private final VidKvSettings settings;
    private final PagePool pool;
    private final HeadStores heads;
    private Optional<Page> mask;
    /** Whether the mask holds a choice. */
    private boolean chosen;

    VidKvLayer(CacheShape shape, VidKvSettings settings, Spectrum spectrum, int layer, PagePool pool, Kernels kernels) {
        this(shape, settings, pool, heads(shape, settings, spectrum, layer, pool, kernels), Optional.empty(), false);
    }

    private VidKvLayer(
            CacheShape shape,
            VidKvSettings settings,
            PagePool pool,
            HeadStores heads,
            Optional<Page> mask,
            boolean chosen) {
        this.shape = shape;
        this.settings = settings;
        this.pool = pool;
        this.heads = heads;
        this.mask = mask;
        this.chosen = chosen;
    }

    private static HeadStores heads(
            CacheShape shape, VidKvSettings settings, Spectrum spectrum, int layer, PagePool pool, Kernels kernels) {
        return HeadStores.empty(
                shape, (l, kvHead, headPool, k) -> head(settings, spectrum, headPool, k), layer, pool, kernels);
    }

    private static Head head(VidKvSettings settings, Spectrum spectrum, PagePool pool, Kernels kernels) {
        int d = settings.headDim;
        int page = VidKvSettings.WINDOW_TOKENS;
        return new Head(
                new FlushingKeys(
                        new VidKeys(pool, kernels, settings, spectrum),
                        new ExactKeys(pool, kernels, VidKvSettings.EXACT, d, page, true),
                        VidKvSettings.EXACT,
                        d,
                        settings.residual,
                        settings.group),
                new FlushingValues(
                        new VidValues(pool, kernels, settings),
                        new ExactValues(pool, kernels, VidKvSettings.EXACT, d, page, settings.residual),
                        VidKvSettings.EXACT,
                        d,
                        settings.residual,
                        settings.group));
    }

    /** The stores of one head. */
    Head head(int kvHead) {
        return heads.head(kvHead);
    }

    FlushingKeys flushing(int kvHead) {
        return (FlushingKeys) heads.head(kvHead).keys();
    }

    VidKeys quantized(int kvHead) {
        return (VidKeys) flushing(kvHead).packed();
    }

    @Override
    public int size() {
        return heads.size();
    }

    @Override
    public Slots slots() {
        return Slots.IN_ORDER;
    }

    @Override
    public KeyReader keys(int kvHead) {
        return heads.keys(kvHead);
    }

    @Override
    public ValueReader values(int kvHead) {
        return heads.values(kvHead);
    }

    @Override
    public long wantedBytes(int tokens) {
        return heads.wantedBytes(tokens) + (wantsMask(tokens) ? settings.maskBytes(shape.kvHeads()) : 0);
    }

    private boolean choosesFor(int tokens) {
        return flushing(0).flushed(tokens) > 0 && (!chosen || settings.requantAll);
    }

    /** Whether a page is needed to write a choice to. */
    private boolean wantsMask(int tokens) {
        return choosesFor(tokens) && mask.map(Page::shared).orElse(true);
    }

    @Override
    public void reserve(int tokens, PagePool.Claim claim) {
        heads.reserve(tokens, claim);
        if (wantsMask(tokens)) {
            Page page = claim.page(settings.maskBytes(shape.kvHeads()));
            mask.ifPresent(old -> {
                page.bytes().copyFrom(old.bytes());
                pool.release(old);
            });
            mask = Optional.of(page);
        }
    }

    @Override
    public void begin(TokenStates states, Queries queries) {
        if (choosesFor(states.count())) {
            choose(states);
        }
        heads.begin(states, queries);
    }

    private void choose(TokenStates states) {
        Scratch scratch = new Scratch();
        for (int scope = 0; scope < scopes(); scope++) {
            int first = settings.perHead ? scope : 0;
            int end = settings.perHead ? scope + 1 : shape.kvHeads();
            ChannelStats stats = new ChannelStats(settings.metric, settings.headDim);
            for (int pass = 0; pass < settings.metric.passes(); pass++) {
                stats.begin(pass);
                for (int kvHead = first; kvHead < end; kvHead++) {
                    show(kvHead, states, stats, scratch);
                }
            }
            ChannelSplit split = ChannelSplit.highest(stats.scores(), settings.abnormal);
            split.write(mask().bytes(), scope * (long) ChannelSplit.maskBytes(settings.headDim));
            for (int kvHead = first; kvHead < end; kvHead++) {
                VidKeys keys = quantized(kvHead);
                if (keys.size() > 0) {
                    keys.requantize(split, scratch);
                } else {
                    keys.split(split);
                }
            }
        }
        chosen = true;
    }

    private int scopes() {
        return settings.perHead ? shape.kvHeads() : 1;
    }

    private Page mask() {
        return mask.orElseThrow();
    }

    /** Shows all keys of a head: the quantized ones, the exact ones, and those of the step. */
    private void show(int kvHead, TokenStates states, ChannelStats stats, Scratch scratch) {
        int d = settings.headDim;
        VidKeys keys = quantized(kvHead);
        float[] columns = new float[d * Math.max(settings.group, Kernels.PANEL)];
        for (int slot = 0; slot < keys.size(); slot += settings.group) {
            keys.restore(slot, columns, scratch);
            stats.columns(columns, settings.group, settings.group);
        }
        ExactKeys window = flushing(kvHead).window();
        for (int slot = 0; slot < window.size(); slot += Kernels.PANEL) {
            window.panel(slot, columns, 0, Kernels.PANEL);
            stats.columns(columns, Kernels.PANEL, Math.min(Kernels.PANEL, window.size() - slot));
        }
        stats.rows(states.keys(), kvHead * d, shape.kvHeads() * d, states.count());
    }

    @Override
    public int appendParts() {
        return heads.appendParts();
    }

    @Override
    public void append(int part, Scratch scratch) {
        heads.append(part, scratch);
    }

    @Override
    public void end() {
        heads.end();
    }

    @Override
    public int smallestSize() {
        return heads.smallestSize();
    }

    @Override
    public void truncate(int size) {
        heads.truncate(size);
    }

    @Override
    public Footprint footprint() {
        return heads.footprint()
                .plus(new Footprint(0, 0, 0, mask.map(Page::size).orElse(0L), 0));
    }

    @Override
    public VidKvLayer fork() {
        return new VidKvLayer(shape, settings, pool, heads.fork(), mask.map(pool::share), chosen);
    }

    @Override
    public void write(DataOutput out) throws IOException {
        out.writeBoolean(chosen);
        if (chosen) {
            byte[] bytes = new byte[settings.maskBytes(shape.kvHeads())];
            MemorySegment.copy(mask().bytes(), ValueLayout.JAVA_BYTE, 0, bytes, 0, bytes.length);
            out.write(bytes);
        }
        heads.write(out);
    }

    @Override
    public void read(DataInput in, int size) throws IOException {
        chosen = in.readBoolean();
        if (chosen) {
            byte[] bytes = new byte[settings.maskBytes(shape.kvHeads())];
            in.readFully(bytes);
            try (PagePool.Claim claim = pool.claim(bytes.length)) {
                mask = Optional.of(claim.page(bytes.length));
            }
            MemorySegment.copy(bytes, 0, mask().bytes(), ValueLayout.JAVA_BYTE, 0, bytes.length);
            int maskBytes = ChannelSplit.maskBytes(settings.headDim);
            for (int kvHead = 0; kvHead < shape.kvHeads(); kvHead++) {
                long at = settings.perHead ? (long) kvHead * maskBytes : 0;
                quantized(kvHead).split(ChannelSplit.read(mask().bytes(), at, settings.headDim, settings.abnormal));
            }
        }
        heads.read(in, size);
    }

    @Override
    public void release() {
        heads.release();
        mask.ifPresent(pool::release);
        mask = Optional.empty();
        chosen = false;
    }
}
