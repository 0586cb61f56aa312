package dev.kvasir.cache.method.exact;

import dev.kvasir.cache.CacheMethod;
import dev.kvasir.cache.CacheModel;
import dev.kvasir.cache.CacheOption;
import dev.kvasir.cache.CacheSettings;
import dev.kvasir.cache.CacheShape;
import dev.kvasir.cache.Footprint;
import dev.kvasir.cache.MethodNotes;
import dev.kvasir.cache.attention.Head;
import dev.kvasir.cache.attention.HeadFactory;
import dev.kvasir.cache.kernel.Element;
import dev.kvasir.cache.store.ExactKeys;
import dev.kvasir.cache.store.ExactValues;
import java.util.List;
import java.util.Optional;

/**
 * Every key and value as it is, in {@code dtype}: the cache all others are measured against. Rolls back any number of
 * tokens. 8 * {@code dtype} bytes bits per element, pages of {@value #PAGE_TOKENS} tokens.
 */
public final class ExactCache implements CacheMethod {
    private static final int PAGE_TOKENS = 64;

    @Override
    public String name() {
        return "exact";
    }

    @Override
    public String summary() {
        return "every key and value in a float type";
    }

    @Override
    public String source() {
        return "the reference";
    }

    @Override
    public MethodNotes notes() {
        return new MethodNotes(
                "Nothing is lost but what the float type rounds; every other cache is measured against this one.",
                "32 for f32, 16 for f16 and bf16",
                List.of(),
                List.of("kvasir-tiny, 2,048 tokens: perplexity 2.670 with f32 and with f16, KL divergence of f16"
                        + " 2.80e-08"));
    }

    @Override
    public List<CacheOption> options() {
        return List.of(CacheOption.choice("dtype", "f32", "type of the elements", "f32", "bf16", "f16"));
    }

    @Override
    public String positional() {
        return "dtype";
    }

    @Override
    public Optional<HeadFactory> heads(CacheSettings settings, CacheModel model) {
        Element dtype = Element.of(settings.text("dtype"));
        int headDim = model.shape().headDim();
        return Optional.of((layer, kvHead, pages, kernels) -> new Head(
                new ExactKeys(pages, kernels, dtype, headDim, PAGE_TOKENS, false),
                new ExactValues(pages, kernels, dtype, headDim, PAGE_TOKENS, 0)));
    }

    @Override
    public Footprint estimate(CacheSettings settings, CacheShape shape, int tokens) {
        Element dtype = Element.of(settings.text("dtype"));
        long head = ExactKeys.bytes(dtype, shape.headDim(), PAGE_TOKENS, tokens)
                + ExactValues.bytes(dtype, shape.headDim(), PAGE_TOKENS, 0, tokens);
        return new Footprint(head * shape.layers() * shape.kvHeads(), 0, 0, 0, 0);
    }
}
