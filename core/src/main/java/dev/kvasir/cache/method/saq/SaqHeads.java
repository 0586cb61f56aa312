package dev.kvasir.cache.method.saq;

import dev.kvasir.InvalidInputException;
import dev.kvasir.cache.CacheSettings;
import dev.kvasir.cache.Footprint;
import dev.kvasir.cache.PagePool;
import dev.kvasir.cache.attention.Head;
import dev.kvasir.cache.attention.HeadFactory;
import dev.kvasir.cache.kernel.Element;
import dev.kvasir.cache.kernel.Kernels;
import dev.kvasir.cache.kernel.PackedLayout;
import dev.kvasir.cache.store.ExactKeys;
import dev.kvasir.cache.store.ExactValues;
import dev.kvasir.cache.store.FlushingKeys;
import dev.kvasir.cache.store.FlushingValues;
import dev.kvasir.cache.store.KeyStore;
import dev.kvasir.cache.store.SinkKeys;
import dev.kvasir.cache.store.SinkValues;
import dev.kvasir.cache.store.StairKeys;
import dev.kvasir.cache.store.StairValues;
import dev.kvasir.cache.store.Stairs;
import dev.kvasir.cache.store.ValueStore;
import java.util.Arrays;
import java.util.List;

/** Who holds which token in SAQ: sinks, the stairs, the exact newest tokens; and their bytes. */
final class SaqHeads implements HeadFactory {
    static final int MOST_TOKENS = 8192;
    static final int MOST_SINKS = 256;

    private static final List<Integer> WIDTHS = List.of(8, 6, 5, 4, 3, 2, 1);

    private final int headDim;
    private final int segment;
    private final int sinks;
    private final Element exact;
    /** B_2 to B_q; empty where nothing is quantized. */
    private final List<Integer> widths;

    private final int group;
    /** Tokens of a page of exact ones. */
    private final int windowTokens;

    SaqHeads(CacheSettings settings, int headDim) {
        this.headDim = headDim;
        segment = settings.number("segment");
        group = settings.number("group");
        sinks = settings.flag("paperExact") ? 0 : settings.number("sinks");
        List<Integer> levels = Arrays.stream(settings.text("levels").split("-"))
                .map(Integer::valueOf)
                .toList();
        check(levels);
        exact = levels.getFirst() == 32 ? Element.F32 : Element.F16;
        widths = levels.subList(1, levels.size());
        windowTokens = Math.min(64, Integer.lowestOneBit(Math.max(segment, 32)));
    }

    private void check(List<Integer> levels) {
        int first = levels.getFirst();
        boolean good = first == 16 || first == 32;
        for (int i = 1; i < levels.size(); i++) {
            good &= WIDTHS.contains(levels.get(i)) && levels.get(i) < levels.get(i - 1);
        }
        if (!good) {
            throw new InvalidInputException(
                    "saq: levels=" + levels + " is not possible; allowed are 16 or 32, then falling" + " widths from "
                            + WIDTHS + ", such as 16-8-4-2");
        }
        if (headDim % 16 != 0 || headDim % group != 0) {
            throw new InvalidInputException("saq: group=" + group + " does not divide the head's " + headDim
                    + " channels; allowed are the divisors of " + headDim + " among 16, 32, 64, 128");
        }
        if (segment <= 0 || segment > MOST_TOKENS || segment % 32 != 0 || segment % group != 0) {
            throw new InvalidInputException("saq: segment=" + segment + " is not a multiple of 32 and of group=" + group
                    + " from " + Math.max(32, group) + " to " + MOST_TOKENS);
        }
        if (sinks > MOST_SINKS) {
            throw new InvalidInputException("saq: sinks=" + sinks + ", allowed are 0 to " + MOST_SINKS);
        }
    }

    private Stairs keyStairs() {
        return new Stairs(segment, segment, headDim, group, widths);
    }

    private Stairs valueStairs() {
        return new Stairs(segment, headDim, segment, group, widths);
    }

    @Override
    public Head head(int layer, int kvHead, PagePool pool, Kernels kernels) {
        KeyStore keys;
        ValueStore values;
        if (widths.isEmpty()) {
            keys = new ExactKeys(pool, kernels, exact, headDim, windowTokens, false);
            values = new ExactValues(pool, kernels, exact, headDim, windowTokens, 0);
        } else {
            keys = new FlushingKeys(
                    new StairKeys(pool, kernels, keyStairs()),
                    new ExactKeys(pool, kernels, exact, headDim, windowTokens, true),
                    exact,
                    headDim,
                    segment);
            values = new FlushingValues(
                    new StairValues(pool, kernels, valueStairs()),
                    new ExactValues(pool, kernels, exact, headDim, windowTokens, segment),
                    exact,
                    headDim,
                    segment);
        }
        if (sinks > 0) {
            keys = new SinkKeys(keys, pool, kernels, exact, headDim, sinks);
            values = new SinkValues(values, pool, kernels, exact, headDim, sinks);
        }
        return new Head(keys, values);
    }

    /** Bytes of {@code heads} heads of {@code tokens} tokens. */
    Footprint estimate(int tokens, int heads) {
        int rest = Math.max(0, tokens - sinks);
        long windows = sinks == 0 ? 0 : 2 * SinkKeys.bytes(exact, headDim, sinks, tokens);
        if (widths.isEmpty()) {
            long bytes = ExactKeys.bytes(exact, headDim, windowTokens, rest)
                    + ExactValues.bytes(exact, headDim, windowTokens, 0, rest);
            return new Footprint(heads * bytes, 0, heads * windows, 0, 0);
        }
        int newest = rest % segment;
        windows += ExactKeys.bytes(exact, headDim, windowTokens, newest)
                + ExactValues.bytes(exact, headDim, windowTokens, segment, newest);
        long codes = 0;
        long scales = 0;
        for (Stairs stairs : List.of(keyStairs(), valueStairs())) {
            for (int stair = 0; stair < stairs.count(); stair++) {
                PackedLayout layout = stairs.layout(stair);
                codes += stairs.on(stair, rest / segment) * layout.codeBytes();
                scales += stairs.on(stair, rest / segment) * layout.scaleBytes();
            }
        }
        return new Footprint(heads * codes, heads * scales, heads * windows, 0, 0);
    }
}
