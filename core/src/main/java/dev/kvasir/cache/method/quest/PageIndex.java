package dev.kvasir.cache.method.quest;

import dev.kvasir.cache.CacheShape;
import dev.kvasir.cache.Footprint;
import dev.kvasir.cache.PagePool;
import dev.kvasir.cache.Queries;
import dev.kvasir.cache.TokenStates;
import dev.kvasir.cache.attention.Stash;
import dev.kvasir.cache.kernel.Element;
import dev.kvasir.cache.kernel.Kernels;
import dev.kvasir.cache.lookup.Chosen;
import dev.kvasir.cache.lookup.TokenIndex;
import dev.kvasir.cache.store.ChannelBounds;
import dev.kvasir.cache.store.KeyReader;
import dev.kvasir.cache.store.Scratch;
import java.io.DataInput;
import java.io.DataOutput;
import java.io.IOException;
import java.util.function.IntFunction;

/**
 * A layer's pages: the least and the largest number of each channel of a page's keys. With {@code q+} and {@code q-} the
 * positive and the negative part of a query, no key of a page scores more than {@code q+ . largest + q- . least}; the pages of
 * the highest bounds are read, and always the page that is being filled.
 */
final class PageIndex implements TokenIndex {
    private final QuestOptions options;
    private final CacheShape shape;
    private final Kernels kernels;
    private final Element rounding;
    private final Stash<PageChooser> choosers;
    private final ChannelBounds[] bounds;

    // The step at hand.
    private float[] newKeys = {};
    private int count;

    /**
     * An empty index.
     *
     * @param rounding how the store rounds keys: bounds are those of what is read
     */
    PageIndex(
            QuestOptions options,
            CacheShape shape,
            Element rounding,
            Stash<PageChooser> choosers,
            PagePool pool,
            Kernels kernels) {
        this(options, shape, rounding, choosers, kernels, new ChannelBounds[shape.kvHeads()]);
        for (int h = 0; h < bounds.length; h++) {
            bounds[h] = new ChannelBounds(pool, kernels, shape.headDim(), options.page());
        }
    }

    private PageIndex(
            QuestOptions options,
            CacheShape shape,
            Element rounding,
            Stash<PageChooser> choosers,
            Kernels kernels,
            ChannelBounds[] bounds) {
        this.options = options;
        this.shape = shape;
        this.kernels = kernels;
        this.rounding = rounding;
        this.choosers = choosers;
        this.bounds = bounds;
    }

    /** The bounds of a head. */
    ChannelBounds bounds(int kvHead) {
        return bounds[kvHead];
    }

    @Override
    public boolean chooses(int position) {
        return options.pages() - 1 < position / options.page();
    }

    @Override
    public void open(Queries queries) {}

    @Override
    public void choose(int kvHead, float[] queries, int rows, int position, Chosen chosen, Scratch scratch) {
        int full = position / options.page();
        PageChooser chooser = choosers.take();
        chooser.score(kernels, bounds[kvHead], full, queries, rows, shape.headDim(), scratch);
        for (int r = 0; r < rows; r++) {
            chooser.mark(r, full, options.pages() - 1, options.page(), chosen);
        }
        choosers.giveBack(chooser);
        chosen.mark(full * options.page(), position);
    }

    @Override
    public long indexBytes(int position) {
        return (long) (position / options.page()) * 2 * shape.headDim() * Element.F16.bytes();
    }

    @Override
    public long tableBytes() {
        return 0;
    }

    /** Tokens of the page that was cut by a rollback, which are taken in again. */
    private int missing(int size) {
        return size - bounds[0].tokens();
    }

    private int size;

    @Override
    public long wantedBytes(int tokens) {
        long wanted = 0;
        for (ChannelBounds head : bounds) {
            wanted += tokens == 0 ? 0 : head.wantedBytes(missing(size) + tokens);
        }
        return wanted;
    }

    @Override
    public void reserve(int tokens, PagePool.Claim claim) {
        for (ChannelBounds head : bounds) {
            if (tokens > 0) {
                head.reserve(missing(size) + tokens, claim);
            }
        }
    }

    @Override
    public void begin(TokenStates states, IntFunction<KeyReader> keys) {
        if (missing(size) > 0) {
            restore(keys);
        }
        newKeys = states.keys();
        count = states.count();
        size += count;
    }

    /** Reads the keys of a cut page from the store, channel by channel. */
    private void restore(IntFunction<KeyReader> keys) {
        int d = shape.headDim();
        Scratch scratch = new Scratch();
        scratch.rows(0, 1, d);
        float[] unit = new float[d * d];
        for (int c = 0; c < d; c++) {
            unit[c * d + c] = 1;
        }
        int from = bounds[0].tokens() / Kernels.PANEL * Kernels.PANEL;
        int stride = size - from + Kernels.PANEL;
        float[] columns = new float[d * stride];
        float[] row = new float[d];
        for (int h = 0; h < bounds.length; h++) {
            KeyReader reader = keys.apply(h);
            float[] prepared = new float[d * reader.queryWidth(d)];
            reader.prepare(unit, 0, d, d, prepared, 0, scratch);
            reader.scores(prepared, 0, d, from, size, columns, 0, stride, scratch);
            for (int t = bounds[h].tokens(); t < size; t++) {
                for (int c = 0; c < d; c++) {
                    row[c] = columns[c * stride + t - from];
                }
                bounds[h].append(row, 0, d, 1);
            }
        }
    }

    @Override
    public int appendParts() {
        return bounds.length;
    }

    @Override
    public void append(int kvHead, Scratch scratch) {
        int d = shape.headDim();
        int width = shape.kvHeads() * d;
        float[] row = scratch.lanes(d);
        for (int t = 0; t < count; t++) {
            System.arraycopy(newKeys, t * width + kvHead * d, row, 0, d);
            rounding.round(row, 0, d);
            bounds[kvHead].append(row, 0, d, 1);
        }
    }

    @Override
    public void truncate(int newSize) {
        size = newSize;
        for (ChannelBounds head : bounds) {
            head.truncate(newSize);
        }
    }

    @Override
    public Footprint footprint() {
        long bytes = 0;
        for (ChannelBounds head : bounds) {
            bytes += head.bytes();
        }
        return new Footprint(0, 0, 0, bytes, 0);
    }

    @Override
    public PageIndex fork() {
        ChannelBounds[] copies = new ChannelBounds[bounds.length];
        for (int h = 0; h < copies.length; h++) {
            copies[h] = bounds[h].fork();
        }
        PageIndex fork = new PageIndex(options, shape, rounding, choosers, kernels, copies);
        fork.size = size;
        return fork;
    }

    @Override
    public void write(DataOutput out) throws IOException {
        for (ChannelBounds head : bounds) {
            head.write(out, size);
        }
    }

    @Override
    public void read(DataInput in, int newSize) throws IOException {
        for (ChannelBounds head : bounds) {
            head.read(in, newSize);
        }
        size = newSize;
    }

    @Override
    public void release() {
        size = 0;
        for (ChannelBounds head : bounds) {
            head.release();
        }
    }
}
