package dev.kvasir.cache.method.kvcrush;

import dev.kvasir.InvalidInputException;
import dev.kvasir.cache.CacheMethod;
import dev.kvasir.cache.CacheModel;
import dev.kvasir.cache.CacheOption;
import dev.kvasir.cache.CacheSettings;
import dev.kvasir.cache.CacheShape;
import dev.kvasir.cache.CacheSpec;
import dev.kvasir.cache.Caches;
import dev.kvasir.cache.Footprint;
import dev.kvasir.cache.MethodNotes;
import dev.kvasir.cache.attention.LayerFactory;
import dev.kvasir.cache.selection.Anchor;
import dev.kvasir.cache.selection.HeadTokens;
import dev.kvasir.cache.selection.Importance;
import dev.kvasir.cache.selection.KeptLayers;
import dev.kvasir.cache.selection.Policy;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;

/**
 * KVCrush: part of the budget of another policy goes to representatives of the tokens that it lets go (KVCrush, arXiv 2503.00022,
 * and the variants of its published ports).
 *
 * <p>Each head gives each evictable token a bit: whether it is in the upper half by the policy's importance. Tokens that heads
 * treat alike have like signatures. Those that are not kept for their importance are ordered by the Hamming distance of their
 * signature from one anchor pattern, and that order is sampled evenly: {@code rho} of the budget. Eligible are for each head those
 * that this head does not keep already. A representative keeps its own key and value, and competes again the next time. It all
 * happens when the policy would let tokens go, and the policy's scores, sums and rollback are unchanged; {@code rho=0} is the
 * policy itself.
 *
 * <p>{@code keep} and {@code budget} replace those of the policy, and count all that is kept: {@code start + important +
 * representatives + recent}. The first and newest tokens that are protected are the policy's own, or {@code start} and {@code
 * recent} if these are more (published ports: 32 and 128).
 *
 * <p>With {@code page} above 1 whole pages stay or go; page borders are multiples of it, protected areas end at them, and a
 * page's signature is that of its tokens one after the other ({@code page_1bit}: a bit for each token, by all heads together). If
 * fewer pages go than would be representatives, the policy's own decision stands. With {@code sig_layers} above 1 the bits of
 * the layers just before, of the same step, are part of the signature: those of the layers after it do not exist yet when this
 * one lets tokens go.
 */
public final class KvCrushCache implements CacheMethod {
    private static final int MOST_QUERY_HEADS = Long.SIZE;

    @Override
    public String name() {
        return "kvcrush";
    }

    @Override
    public String summary() {
        return "another policy's tokens, and representatives of those that it lets go";
    }

    @Override
    public String source() {
        return "KVCrush, ACML 2025, arXiv 2503.00022";
    }

    @Override
    public MethodNotes notes() {
        return new MethodNotes(
                "A policy that keeps the most important tokens loses whole kinds of context. Tokens that all heads rank alike play"
                        + " like parts: a bit of each head describes them, and a few of every kind stay in place of the least"
                        + " important of those kept.",
                "those of the policy: keep times the store's, and 4 or 8 bytes a token and head; signatures last for a step",
                List.of(
                        "LongBench: less than 1 % below the full cache with 1/4 of it, below 0.5 % of the time",
                        "qasper, 1,024 tokens kept: 20.56 where SnapKV alone has 19.77 (OpenVINO)",
                        "can lose too: 18.79 with a quarter of the budget (OpenVINO)"),
                List.of("kvasir-tiny, 2,048 tokens, keep 0.2: KL divergence 0.00876 on h2o (alone"
                        + " 0.0109), 0.00434 on snapkv (alone 0.00400); retrieval 15.6 % (14.1) and"
                        + " 26.6 % (32.8)"));
    }

    @Override
    public List<CacheOption> options() {
        return List.of(
                CacheOption.spec(
                        "base", "snapkv", "the policy whose budget it shares", "snapkv, pyramidkv, h2o, tova, ..."),
                CacheOption.decimal(
                        "keep", "0", "share of the tokens seen that a head keeps", "0: as the policy; to 1"),
                CacheOption.number("budget", 0, "tokens that a head keeps, in place of a share", "0: as the policy"),
                CacheOption.decimal("rho", "0.25", "share of the budget for representatives", "0 to 1"),
                CacheOption.choice(
                        "rule",
                        "top_half",
                        "tokens whose bit is set: the upper half, or those the budget keeps",
                        "top_half",
                        "top_budget"),
                CacheOption.choice(
                        "signature",
                        "kv_heads",
                        "whose bits: each KV or query head's; all heads' for a page's tokens",
                        "kv_heads",
                        "query_heads",
                        "page_1bit"),
                CacheOption.number("sig_layers", 1, "layers whose bits count: its own and those before", "at least 1"),
                CacheOption.choice(
                        "anchor",
                        "random",
                        "the pattern distances are from",
                        "random",
                        "zeros",
                        "ones",
                        "alternating",
                        "mean",
                        "inv_mean"),
                CacheOption.number("seed", 0, "of the random anchor", "any number"),
                CacheOption.number("start", 0, "first tokens that stay", "any number; the policy's if more"),
                CacheOption.number("recent", 0, "newest tokens that stay", "any number; the policy's if more"),
                CacheOption.number("page", 1, "tokens that stay or go together", "1 to 1024"),
                CacheOption.choice(
                        "aggregation", "sum", "importance, or importance over a token's age", "sum", "norm_sum"),
                CacheOption.spec("store", "exact(f16)", "what stores the tokens that stay", "exact, block, kivi, ..."));
    }

    @Override
    public String positional() {
        return "keep";
    }

    @Override
    public Optional<String> standsAlone() {
        return Optional.of("which weighs tokens by the attention they get");
    }

    @Override
    public LayerFactory layers(CacheSettings settings, CacheModel model) {
        CacheShape shape = model.shape();
        CrushOptions options = crush(settings);
        Policy policy = policy(settings, options, shape);
        CacheSpec store = settings.spec("store");
        int group = shape.queriesPerKvHead();
        checkQueryHeads(settings, options, policy, group);
        return KeptLayers.together(name(), store.method(), shape, Caches.heads(name(), store, model), () -> {
            CrushEvent event = new CrushEvent(options, shape.kvHeads(), group);
            return (layer, heads, movable) -> new CrushedTokens(
                    layer,
                    heads,
                    importance(policy, options, heads, group),
                    policy.plan(layer, movable),
                    options,
                    event);
        });
    }

    private static Importance importance(Policy policy, CrushOptions options, List<HeadTokens> heads, int group) {
        return options.signature() == CrushOptions.Heads.QUERY_HEADS
                ? policy.importanceByQueryHead(heads, group).orElseThrow()
                : policy.importance(heads);
    }

    private void checkQueryHeads(CacheSettings settings, CrushOptions options, Policy policy, int group) {
        if (options.signature() != CrushOptions.Heads.QUERY_HEADS) {
            return;
        }
        if (policy.importanceByQueryHead(List.of(), group).isEmpty()) {
            throw new InvalidInputException(
                    "kvcrush: signature=query_heads is not possible with base="
                            + settings.spec("base").method()
                            + ", which measures tokens for all query heads of a KV head together; it is with snapkv, pyramidkv");
        }
        if (group > MOST_QUERY_HEADS) {
            throw new InvalidInputException("kvcrush: signature=query_heads is not possible with " + group
                    + " query heads of a KV head, allowed: up to " + MOST_QUERY_HEADS);
        }
    }

    private CrushOptions crush(CacheSettings settings) {
        CrushOptions options = new CrushOptions(
                settings.decimal("rho"),
                settings.text("rule").equals("top_budget"),
                CrushOptions.Heads.valueOf(settings.text("signature").toUpperCase(Locale.ROOT)),
                settings.number("sig_layers"),
                Anchor.valueOf(settings.text("anchor").toUpperCase(Locale.ROOT)),
                settings.number("seed"),
                settings.number("start"),
                settings.number("recent"),
                settings.number("page"),
                settings.text("aggregation").equals("norm_sum"));
        check(options.rho() <= 1, settings, "rho", "0 to 1");
        check(options.sigLayers() >= 1 && options.sigLayers() <= 64, settings, "sig_layers", "1 to 64");
        check(options.page() >= 1 && options.page() <= 1024, settings, "page", "1 to 1024");
        if (options.signature() == CrushOptions.Heads.PAGE_1BIT && options.page() == 1) {
            throw new InvalidInputException(
                    "kvcrush: signature=page_1bit is not possible with page=1, where one bit for all"
                            + " heads says nothing of them; allowed: page of at least 2");
        }
        if (options.recent() % options.page() != 0 || options.start() % options.page() != 0) {
            throw new InvalidInputException("kvcrush: start=" + options.start() + " and recent=" + options.recent()
                    + " are not whole pages of page=" + options.page());
        }
        return options;
    }

    private static void check(boolean good, CacheSettings settings, String option, String allowed) {
        if (!good) {
            throw new InvalidInputException(
                    "kvcrush: " + option + "=" + settings.text(option) + " is not possible, allowed: " + allowed);
        }
    }

    /** The policy below, with the budget that replaces its own. */
    private Policy policy(CacheSettings settings, CrushOptions options, CacheShape shape) {
        CacheSpec base = settings.spec("base");
        Map<String, String> values = new LinkedHashMap<>(base.options());
        String usual = Caches.complete(new CacheSpec(base.method(), Map.of()))
                .options()
                .getOrDefault("store", "");
        if (!values.getOrDefault("store", "").equals(usual)) {
            throw new InvalidInputException("kvcrush: base=" + base.method() + "(store=" + values.get("store")
                    + ") stores nothing, give the store to kvcrush itself");
        }
        boolean replaced = settings.decimal("keep") > 0 || settings.number("budget") > 0;
        if (replaced && values.containsKey("keep") && values.containsKey("budget")) {
            values.put("budget", settings.text("budget"));
            if (settings.decimal("keep") > 0) {
                values.put("keep", settings.text("keep"));
            }
        }
        Policy policy = Caches.policy(name(), new CacheSpec(base.method(), values), shape);
        if (options.page() > 1 && policy.plan(0, true).shares().adaptive()) {
            throw new InvalidInputException(
                    "kvcrush: page=" + options.page() + " is not possible with heads=adaptive of base=" + base.method()
                            + ", whose heads share single tokens; allowed: page=1");
        }
        return policy;
    }

    /**
     * Of a prompt of {@code tokens} tokens; of any tokens with a policy whose budget always counts. Where heads keep different
     * numbers, what they hold differs from it by less than a page of each of their stores.
     */
    @Override
    public Footprint estimate(CacheSettings settings, CacheShape shape, int tokens) {
        CrushOptions options = crush(settings);
        Policy policy = policy(settings, options, shape);
        CacheSpec store = settings.spec("store");
        return KeptLayers.estimate(
                shape,
                layer -> options.sizeAfter(policy.plan(layer, true), 0, 0, tokens),
                policy.hasHistory(),
                (one, slots) -> Caches.estimate(store, one, slots));
    }
}
