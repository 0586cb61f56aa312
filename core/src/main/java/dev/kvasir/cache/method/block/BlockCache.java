package dev.kvasir.cache.method.block;

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
 * The block types of llama.cpp: each 32 channels of a token share an F16 scale, and for q5_1 and q4_1 an F16
 * minimum; codes and scales are those of ggml's reference quantizers, bit for bit, in a layout of our own. iq4_nl has a
 * codebook in place of even steps. With {@code rotate}, keys and values are stored after a
 * Hadamard rotation, which spreads outlier channels (QuaRot, arXiv 2404.00456).
 *
 * <p>Bits per element: q8_0 8.5, q5_1 6, q5_0 5.5, q4_1 5, q4_0 and iq4_nl 4.5. Rolls back any number of tokens.
 */
public final class BlockCache implements CacheMethod {
    @Override
    public String name() {
        return "block";
    }

    @Override
    public String summary() {
        return "per-token blocks of 32 channels, optionally rotated";
    }

    @Override
    public String source() {
        return "llama.cpp's q8_0, q5_1, q5_0, q4_1, q4_0 and iq4_nl; rotation after Ashkboos et al., QuaRot, arXiv 2404.00456";
    }

    @Override
    public MethodNotes notes() {
        return new MethodNotes(
                "Each 32 channels of a token share a scale, so that no outlier reaches further than its block. A Hadamard"
                        + " rotation before it spreads outlier channels over all.",
                "8.5 for q8_0, 5.5 for q5_0, 4.5 for q4_0",
                List.of(),
                List.of(
                        "kvasir-tiny, 2,048 tokens, q8_0: perplexity 2.670 (exact 2.670), KL divergence 9.94e-06, top-1"
                                + " 99.8 %",
                        "kvasir-tiny, 2,048 tokens, q4_0: perplexity 2.677, KL divergence 0.00385, top-1 95.9 %; rotated"
                                + " 2.679, 0.00309, 95.7 %"));
    }

    @Override
    public List<CacheOption> options() {
        return List.of(
                CacheOption.choice("type", "q8_0", "block type, unless k or v says otherwise", BlockType.names()),
                CacheOption.choice("k", "@type", "block type of keys", BlockType.names()),
                CacheOption.choice("v", "@type", "block type of values", BlockType.names()),
                CacheOption.flag("rotate", false, "whether a Hadamard rotation comes first"));
    }

    @Override
    public String positional() {
        return "type";
    }

    @Override
    public Optional<HeadFactory> heads(CacheSettings settings, CacheModel model) {
        return Optional.of(new BlockHeads(settings, model.shape().headDim()));
    }

    @Override
    public Footprint estimate(CacheSettings settings, CacheShape shape, int tokens) {
        return new BlockHeads(settings, shape.headDim()).estimate(tokens, shape.layers() * shape.kvHeads());
    }
}
