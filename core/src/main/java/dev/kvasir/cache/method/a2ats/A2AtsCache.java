package dev.kvasir.cache.method.a2ats;

import dev.kvasir.cache.CacheMethod;
import dev.kvasir.cache.CacheModel;
import dev.kvasir.cache.CacheOption;
import dev.kvasir.cache.CacheSettings;
import dev.kvasir.cache.CacheShape;
import dev.kvasir.cache.Calibrator;
import dev.kvasir.cache.Footprint;
import dev.kvasir.cache.MethodNotes;
import dev.kvasir.cache.attention.LayerFactory;
import dev.kvasir.cache.attention.Stash;
import dev.kvasir.cache.kernel.Kernels;
import dev.kvasir.cache.lookup.CountedTopK;
import dev.kvasir.cache.lookup.LookupGroup;
import dev.kvasir.cache.lookup.LookupStore;
import dev.kvasir.cache.store.TokenCodes;
import dev.kvasir.cache.tier.SecondTier;
import dev.kvasir.tensor.RotaryTable;
import java.util.List;
import java.util.Optional;

/**
 * A2ATS, retrieval of tokens by query-aware vector-quantized keys under windowed RoPE, every token in a second tier (He et
 * al., Findings of ACL 2025, arXiv 2502.12665).
 *
 * <p>Few tokens matter to a query, but which ones takes a look at every key. Here the look is at a code: keys before RoPE are
 * quantized to code vectors, one codebook for all prompts, fitted in the metric that queries measure keys in; queries are
 * turned to one far relative position, the same for all tokens beyond the window; so a token's score is its code's. Each
 * query head takes the best {@code f} of all tokens, a KV head reads what any of its query heads took, the sinks and the
 * window, and attention over these is exact, with true positions. Steps of several tokens read everything.
 *
 * <p>Bits per element: 8 / headDim in the first tier for codes of 16 bits, the store's in the second: traffic and fast memory
 * become less, bytes do not. Code vectors, {@code 8 codes headDim} bytes for a KV head and layer, are the model's.
 *
 * <p>Defaults are those of the authors' code (window 64, b 2048, 8 sinks, f 0.03) but for the number of code vectors, there
 * 4096: an eighth of the model's context if that is less, for a table costs as much as exact scores of as many tokens. The
 * paper's abstract claims a throughput up to 2.7 times the exact cache's at long contexts.
 *
 * <p>Any number of tokens can be rolled back where the store can.
 */
public final class A2AtsCache implements CacheMethod {
    @Override
    public String name() {
        return A2AtsOptions.NAME;
    }

    @Override
    public String summary() {
        return "every token in a second tier; read are those whose keys' code vectors score best, the sinks and the window";
    }

    @Override
    public String source() {
        return "He et al., A2ATS, Findings of ACL 2025, arXiv 2502.12665";
    }

    @Override
    public MethodNotes notes() {
        return new MethodNotes(
                "Few tokens matter to a query, but finding them exactly means reading every key. Keys before RoPE know no"
                        + " position, so one codebook of code vectors serves every prompt; queries turned to one far"
                        + " position score a code vector once for all its tokens. The codebook is fitted where queries"
                        + " look: the error that counts is that of scores, not of keys. What is read is read exactly.",
                "8 / headDim for the codes, and the store's bits in the second tier; the code vectors, 8 x codes x headDim"
                        + " bytes for a KV head and layer, are shared by all sequences",
                List.of("long-context serving: throughput up to 2.7 times that of the exact cache"),
                List.of("kvasir-tiny, 2,048 tokens, defaults: perplexity 2.733 (exact 2.670), KL"
                        + " divergence 0.0283; retrieval 76.6 %"));
    }

    @Override
    public List<CacheOption> options() {
        return List.of(
                CacheOption.number("window", 64, "newest tokens that are always read", "1 and more"),
                CacheOption.number(
                        "b",
                        2048,
                        "relative position that keys beyond the window are scored at; the model's context if that is less",
                        "window and more"),
                CacheOption.number("sinks", 8, "first tokens that are always read", "0 and more"),
                CacheOption.decimal("f", "0.03", "share of all tokens that each query head reads besides", "0 to 1"),
                CacheOption.number(
                        "codes",
                        0,
                        "code vectors of a KV head; 0 for those of the calibration, which learns an eighth of the model's"
                                + " context, at most 4096",
                        "0, 16 to 65536"),
                CacheOption.choice(
                        "metric",
                        "query",
                        "what code vectors are fitted in: the queries' metric, or none",
                        "query",
                        "plain"),
                CacheOption.number("dense", 0, "first layers that read everything; not in the paper", "0 and more"),
                CacheOption.spec(
                        "store", "exact(dtype=f16)", "what holds the tokens in the second tier", "a cache that can"),
                new CacheOption(
                        "tier",
                        CacheOption.Kind.FILE,
                        SecondTier.MEMORY,
                        List.of("ram, a folder, or a path"),
                        "where the second tier is: in memory, or in a temporary file in that folder or beside that path"),
                CacheOption.calibrationFile());
    }

    @Override
    public LayerFactory layers(CacheSettings settings, CacheModel model) {
        A2AtsOptions options = A2AtsOptions.of(settings);
        Kernels kernels = Kernels.best();
        A2AtsTables tables =
                A2AtsTables.of(model.calibrations().find(name(), settings.text("file")), options, model, kernels);
        RotaryTable rotary = model.rotary();
        int far = options.far(model);
        rotary.reach(far);
        Stash<CountedTopK> choosers = new Stash<>(CountedTopK::new);
        return LookupGroup.factory(
                new LookupGroup.Plan(
                        name(),
                        new LookupStore(settings.spec("store")),
                        Optional.of(settings.text("tier")),
                        options.dense(),
                        (layer, pool, _) -> new CodeIndex(
                                options, model.shape(), rotary, far, tables.layer(layer), choosers, pool)),
                model);
    }

    @Override
    public Optional<String> standsAlone() {
        return Optional.of("which chooses by the queries what it reads");
    }

    @Override
    public boolean needsCalibration() {
        return true;
    }

    @Override
    public Calibrator calibrator(CacheSettings settings, CacheModel model, String fingerprint) {
        return new A2AtsCalibrator(A2AtsOptions.of(settings), model, fingerprint);
    }

    @Override
    public Footprint estimate(CacheSettings settings, CacheShape shape, int tokens) {
        int dense = Math.min(A2AtsOptions.of(settings).dense(), shape.layers());
        LookupStore store = new LookupStore(settings.spec("store"));
        return store.estimate(shape, dense, tokens)
                .inSecondTier()
                .plus(new Footprint(0, 0, 0, TokenCodes.bytes(tokens) * (shape.layers() - dense) * shape.kvHeads(), 0));
    }
}
