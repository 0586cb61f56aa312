package dev.kvasir.cache.method.saq;

import dev.kvasir.cache.CacheMethod;
import dev.kvasir.cache.CacheModel;
import dev.kvasir.cache.CacheOption;
import dev.kvasir.cache.CacheSettings;
import dev.kvasir.cache.CacheShape;
import dev.kvasir.cache.Footprint;
import dev.kvasir.cache.MethodNotes;
import dev.kvasir.cache.attention.HeadFactory;
import java.util.List;
import java.util.Optional;

/**
 * SAQ, a KIVI-like cache that loses precision gradually: the older a segment of tokens, the fewer bits (Li, 2024, arXiv
 * 2410.18441, the key-cache figure).
 *
 * <p>With levels B_1 &gt; B_2 &gt; ... &gt; B_q the newest tokens, up to a segment of S, are exact (B_1 bits). Each time S of them have
 * gathered they become the newest segment, of B_2 bits, and every older one goes down to the next level; those at B_q stay. So
 * segment i, counted from the newest, has B_min(i+1, q) bits. Keys are quantized per channel over groups of G tokens, values per
 * token over groups of G channels, as in KIVI; both go down by the same segments.
 *
 * <p>Bits per element of N tokens: [p B_1 + sum over i &lt;= min(s, q-2) of S (B_(i+1) + 32/G) + rest (B_q + 32/G)] / N, with p = N mod
 * S and s whole segments: for the defaults without sinks 4.00 at 1,024 tokens, 3.25 at 4,096, 3.03 at 32,768.
 *
 * <p>A group keeps the minimum and the step of the last level for life; the finer grids divide that step. So only integers are
 * touched on the way down, nothing is rounded to F16 twice, and where a level has twice the bits of the next (8, 4, 2, 1) the
 * codes are those that the exact numbers would have got. Where not (4, 3, 2) up to half a finer step is added.
 *
 * <p>The paper gives neither numbers for levels and S nor results; the defaults are ours. Age alone puts the attention sinks on the
 * lowest stair first: {@code sinks} keeps them exact, which {@code paperExact} turns off. Levels are joined by hyphens because a
 * comma separates options. Rollback reaches back to the last whole segment.
 */
public final class SaqCache implements CacheMethod {
    @Override
    public String name() {
        return "saq";
    }

    @Override
    public String summary() {
        return "segments of tokens lose bits as they age, the newest and the first tokens exact";
    }

    @Override
    public String source() {
        return "Li, The Nature of Mathematical Modeling and Probabilistic Optimization Engineering, 2024, arXiv 2410.18441";
    }

    @Override
    public MethodNotes notes() {
        return new MethodNotes(
                "Attention to a token tends to fall with its age, so precision may fall with it: segments of tokens go"
                        + " down a staircase of code widths. Where a width is half the one before, the codes are stepped"
                        + " down in integers and are those that the numbers themselves would have got; the pages shrink"
                        + " with them. The first tokens, which attention returns to, stay exact.",
                "(p b1 + sum of S (b + 32 / group) over the upper levels + rest (last b + 32 / group)) / N with p = N mod S;"
                        + " the defaults without sinks: 4.00 at 1,024 tokens, 3.25 at 4,096, 3.03 at 32,768",
                List.of("the abstract claims reasonable quality at lower cost and gives no figures"),
                List.of(
                        "kvasir-tiny, 2,048 tokens: KL divergence 0.00370 (perplexity 2.683, exact 2.670) at 4.34 bits per element; kivi with 2 bits 0.00532 at 3.41",
                        "kvasir-tiny, 1,024 tokens: KL divergence 2.75e-04, without sinks 4.25e-04"));
    }

    @Override
    public List<CacheOption> options() {
        return List.of(
                CacheOption.numbers(
                        "levels",
                        "16-8-4-2",
                        "bits by age, the newest tokens first",
                        "16 or 32, then falling widths from 8, 6, 5, 4, 3, 2, 1, joined by hyphens"),
                CacheOption.number(
                        "segment",
                        128,
                        "tokens that go down together, S",
                        "multiples of 32 and of group, up to " + SaqHeads.MOST_TOKENS),
                CacheOption.choice("group", "32", "numbers that share a scale, G", "16", "32", "64", "128"),
                CacheOption.number("sinks", 4, "first tokens that stay exact", "0 to " + SaqHeads.MOST_SINKS),
                CacheOption.flag("paperExact", false, "no sinks, as in the paper"));
    }

    @Override
    public String positional() {
        return "levels";
    }

    @Override
    public Optional<HeadFactory> heads(CacheSettings settings, CacheModel model) {
        return Optional.of(new SaqHeads(settings, model.shape().headDim()));
    }

    @Override
    public Footprint estimate(CacheSettings settings, CacheShape shape, int tokens) {
        return new SaqHeads(settings, shape.headDim()).estimate(tokens, shape.layers() * shape.kvHeads());
    }
}
