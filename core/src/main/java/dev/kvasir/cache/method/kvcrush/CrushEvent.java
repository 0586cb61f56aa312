package dev.kvasir.cache.method.kvcrush;

import dev.kvasir.cache.selection.Ranks;
import dev.kvasir.cache.selection.Signatures;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * The signatures of a step, layer by layer: what heads found is put together, with the bits of layers before if they count, and
 * measured from the anchor. One for all layers of a sequence, which follow each other.
 */
final class CrushEvent {
    private final CrushOptions options;
    private final int queryHeads;
    private final List<HeadEvent> heads = new ArrayList<>();
    /** Those of the last layers, one after the other. */
    private final Behaviour[] last;

    private final Signatures joined = new Signatures();
    private int[] distances = {};
    private float[] sums = {};
    private long[] ranks = {};
    private long[] anchor = {};
    private int anchorParts;
    private int layer;
    private int seen;
    private boolean isMeasured;

    /**
     * For the layers of one sequence.
     *
     * @param group query heads of a KV head
     */
    CrushEvent(CrushOptions options, int kvHeads, int group) {
        this.options = options;
        this.queryHeads = options.signature() == CrushOptions.Heads.QUERY_HEADS ? group : 1;
        for (int h = 0; h < kvHeads; h++) {
            heads.add(new HeadEvent());
        }
        this.last = new Behaviour[options.sigLayers()];
        Arrays.setAll(last, i -> new Behaviour());
    }

    /** A layer's step comes, at whose end {@code seenTokens} are seen. */
    void open(int ofLayer, int seenTokens) {
        layer = ofLayer;
        seen = seenTokens;
        isMeasured = false;
    }

    HeadEvent head(int kvHead) {
        return heads.get(kvHead);
    }

    /** Bits that each head gives a token. */
    int queryHeads() {
        return queryHeads;
    }

    private Behaviour behaviour(int ofLayer) {
        return last[ofLayer % last.length];
    }

    /** Measures all tokens that some head could let go, once all heads have found theirs; whoever comes first does it for all. */
    synchronized void measure(int budget) {
        if (isMeasured) {
            return;
        }
        Behaviour own = behaviour(layer);
        own.reset(layer, seen);
        HeadEvent before = heads.getFirst();
        for (HeadEvent head : heads) {
            int unit = -1;
            int row = -1;
            for (int i = 0; i < head.count; i++) {
                int position = head.position(i);
                if (head != before && i < before.count && before.position(i) == position) {
                    // Most heads have the same tokens, or nearly.
                    row = before.rows[i];
                } else if (options.page() == 1 || position / options.page() != unit) {
                    unit = position / options.page();
                    row = own.add(unit);
                }
                head.rows[i] = row;
            }
            before = head;
        }
        if (options.signature() == CrushOptions.Heads.PAGE_1BIT) {
            markTogether(own, budget);
        } else {
            mark(own);
        }
        Signatures all = options.sigLayers() == 1 ? own.signatures() : join(own);
        if (!options.anchor().isFixed() || anchorParts != all.parts()) {
            anchor = options.anchor().pattern(all, options.seed());
            anchorParts = all.parts();
        }
        if (distances.length < own.rows()) {
            distances = new int[own.rows() + own.rows() / 4];
        }
        for (int row = 0; row < own.rows(); row++) {
            distances[row] = all.distance(row, anchor);
        }
        isMeasured = true;
    }

    /** The bits of all heads, token by token. */
    private void mark(Behaviour own) {
        int page = options.page();
        int width = heads.size() * queryHeads;
        own.signatures().reset(own.rows(), 1, page * width);
        for (int h = 0; h < heads.size(); h++) {
            HeadEvent head = heads.get(h);
            for (int i = 0; i < head.count; i++) {
                int first = (page == 1 ? 0 : head.position(i) % page * width) + h * queryHeads;
                for (long left = head.marks[i]; left != 0; left &= left - 1) {
                    own.signatures().set(head.rows[i], 0, first + Long.numberOfTrailingZeros(left));
                }
            }
        }
    }

    /** A bit for each token of a page: whether its importance, summed over the heads, is among the higher. */
    private void markTogether(Behaviour own, int budget) {
        int page = options.page();
        int tokens = own.rows() * page;
        if (sums.length < tokens) {
            sums = new float[tokens + tokens / 4];
            ranks = new long[sums.length];
        }
        Arrays.fill(sums, 0, tokens, 0f);
        own.signatures().reset(own.rows(), 1, page);
        for (HeadEvent head : heads) {
            for (int i = 0; i < head.count; i++) {
                sums[head.rows[i] * page + head.position(i) % page] += head.worth[i];
            }
        }
        int top = options.topBudget() ? Math.min(budget, tokens) : tokens / 2;
        if (top == 0) {
            return;
        }
        for (int i = 0; i < tokens; i++) {
            ranks[i] = Ranks.rank(sums[i], own.unit(i / page) * page + i % page);
        }
        long least = Ranks.select(ranks, tokens, tokens - top);
        for (int i = 0; i < tokens; i++) {
            if (Ranks.rank(sums[i], own.unit(i / page) * page + i % page) >= least) {
                own.signatures().set(i / page, 0, i % page);
            }
        }
    }

    /** The bits of this layer, then those of the layers before it that count, as far as there are such. */
    private Signatures join(Behaviour own) {
        int parts = Math.min(options.sigLayers(), layer + 1);
        joined.reset(own.rows(), parts, own.signatures().bits());
        for (int part = 0; part < parts; part++) {
            Behaviour from = behaviour(layer - part);
            if (!from.isOf(layer - part, seen)) {
                continue;
            }
            for (int row = 0; row < own.rows(); row++) {
                int fromRow = from.row(own.unit(row));
                if (fromRow >= 0) {
                    joined.copy(row, part, from.signatures(), fromRow, 0);
                }
            }
        }
        return joined;
    }

    /** The distance of a row from the anchor. */
    int distance(int row) {
        return distances[row];
    }

    /** What heads say of this layer's pages, or tokens. */
    Behaviour behaviour() {
        return behaviour(layer);
    }

    /** No distance is above it. */
    int largestDistance() {
        return behaviour(layer).signatures().bits() * options.sigLayers();
    }
}
