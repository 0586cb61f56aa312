package dev.kvasir.cache.method.scissorhands;

import dev.kvasir.InvalidInputException;
import dev.kvasir.cache.CacheMethod;
import dev.kvasir.cache.CacheModel;
import dev.kvasir.cache.CacheOption;
import dev.kvasir.cache.CacheSettings;
import dev.kvasir.cache.CacheShape;
import dev.kvasir.cache.CacheSpec;
import dev.kvasir.cache.Caches;
import dev.kvasir.cache.Calibration;
import dev.kvasir.cache.Calibrator;
import dev.kvasir.cache.Footprint;
import dev.kvasir.cache.MethodNotes;
import dev.kvasir.cache.attention.LayerFactory;
import dev.kvasir.cache.selection.KeptLayers;
import dev.kvasir.cache.selection.RecentExact;
import java.util.List;
import java.util.Optional;

/**
 * Scissorhands: a head keeps at most {@code budget} tokens. A token is pivotal for a row of attention if it gets more than the
 * average, and those that were go on being so; when the slots are full, the {@code drop} tokens go that were most often below
 * average in the last {@code window} rows, never the {@code recent} newest (Liu et al., NeurIPS 2023, arXiv 2305.17118).
 *
 * <p>Where full slots are emptied before the next token comes or after the last one did is the same; here it is after. A
 * prompt is fed in blocks of {@code block} tokens that end where slots are full, so that a head never has more than its budget,
 * whatever steps the tokens come in; with {@code prompt=dense} it attends as a whole and tokens go at its end, by its last
 * rows. The average is over the tokens that a row attends to. Each KV head decides for itself and counts the events of all its
 * query heads. Of tokens with equally many the older go. Keys keep the rotation of their true position. Nothing can be rolled
 * back: counts do not forget.
 *
 * <p>For budgets below 400 the defaults are {@code window = min(400, drop)} and {@code recent = max(4, budget / 16)}, else 400
 * and 10. A window of at most {@code drop} rows needs a counter of 4 bytes a token, since it is known when it begins; a longer
 * one a ring of bits.
 */
public final class ScissorhandsCache implements CacheMethod {
    private static final int USUAL_WINDOW = 400;
    private static final int USUAL_RECENT = 10;
    private static final int USUAL_BLOCK = 64;

    @Override
    public String name() {
        return "scissorhands";
    }

    @Override
    public String summary() {
        return "a fixed number of tokens: those seldom below average attention, and the newest";
    }

    @Override
    public String source() {
        return "Liu et al., Scissorhands, NeurIPS 2023, arXiv 2305.17118";
    }

    @Override
    public MethodNotes notes() {
        return new MethodNotes(
                "Tokens that once got more attention than the average go on getting it. So a short history is enough to"
                        + " decide: when a head's slots are full, those go that were most often below average of late, many"
                        + " at once. Memory never grows; what went is gone, whatever is asked later.",
                "those of the store at budget tokens, and 8 bytes a token and head, more for a window above drop",
                List.of(
                        "OPT-6.7B to 66B: no loss of quality at a fifth of the memory, a twentieth with 4-bit codes",
                        "OPT, C4: more than 95 % of what becomes pivotal was so before, in most layers"),
                List.of("kvasir-tiny, 2,048 tokens, budget 400: perplexity 2.668 (exact 2.670), KL"
                        + " divergence 0.00861 at 2.84 bits per element; retrieval 28.1 %"));
    }

    @Override
    public List<CacheOption> options() {
        return List.of(
                CacheOption.number(
                        "budget", 384, "tokens that a head keeps at most (B), mean over layers", "at least 2"),
                CacheOption.decimal("drop", "0.5", "share of the budget that goes at once (m)", "above 0, below 1"),
                CacheOption.number("window", 0, "rows of attention that count (w)", "any number; 0: by the budget"),
                CacheOption.number("recent", 0, "newest tokens that never go (r)", "any number; 0: by the budget"),
                CacheOption.choice(
                        "threshold", "keys", "average over the tokens attended to, or all seen", "keys", "seen"),
                CacheOption.choice(
                        "heads", "sum", "events of the query heads are summed, or all must agree", "sum", "any"),
                CacheOption.choice(
                        "prompt", "stream", "a prompt comes in blocks, or attends as a whole", "stream", "dense"),
                CacheOption.number("block", 0, "tokens of a block of a prompt (c)", "any number; 0: by drop"),
                CacheOption.choice(
                        "layers",
                        "uniform",
                        "budgets of layers; persistence takes a calibration",
                        "uniform",
                        "ramp",
                        "persistence"),
                CacheOption.decimal("slope", "0.3", "of the ramp: what the last layer gets more (rho)", "0 to below 1"),
                CacheOption.choice("history", "auto", "how events are kept", "auto", "counter", "ring"),
                RecentExact.option(),
                CacheOption.spec("store", "exact(f16)", "what stores the tokens that stay", "exact, block, ..."),
                CacheOption.calibrationFile());
    }

    @Override
    public String positional() {
        return "budget";
    }

    @Override
    public Optional<String> standsAlone() {
        return Optional.of("which weighs tokens by the attention they get");
    }

    @Override
    public boolean canCalibrate() {
        return true;
    }

    @Override
    public Calibrator calibrator(CacheSettings settings, CacheModel model, String fingerprint) {
        return new PersistenceCalibrator(model.shape(), fingerprint);
    }

    @Override
    public LayerFactory layers(CacheSettings settings, CacheModel model) {
        CacheShape shape = model.shape();
        boolean learnt = "persistence".equals(settings.text("layers"));
        int[] budgets = learnt
                ? LayerBudgets.persistence(settings.number("budget"), persistence(settings, model))
                : budgets(settings, shape.layers());
        ScissorPlan[] plans = new ScissorPlan[budgets.length];
        for (int l = 0; l < plans.length; l++) {
            plans[l] = plan(settings, budgets[l]);
        }
        CacheSpec store = settings.spec("store");
        return KeptLayers.factory(
                name(),
                store.method(),
                shape,
                RecentExact.heads(
                        name(),
                        store.method(),
                        Caches.heads(name(), store, model),
                        shape.headDim(),
                        settings.number("recent_exact")),
                (layer, heads, movable) -> new LeastBelow(heads, plans[layer], shape.queriesPerKvHead()));
    }

    private float[] persistence(CacheSettings settings, CacheModel model) {
        Calibration calibration = model.calibrations().find(name(), settings.text("file"));
        float[] persistence = new float[model.shape().layers()];
        for (int layer = 0; layer < persistence.length; layer++) {
            persistence[layer] = calibration.data(PersistenceCalibrator.name(layer), 2)[0];
            if (!(persistence[layer] >= 0 && persistence[layer] <= 1)) {
                throw new Calibration.CalibrationException(
                        name(),
                        PersistenceCalibrator.name(layer) + " holds " + persistence[layer] + ", allowed is 0 to 1");
            }
        }
        return persistence;
    }

    /** Budgets that need no calibration; those that do have the same mean. */
    private static int[] budgets(CacheSettings settings, int layers) {
        int mean = settings.number("budget");
        double slope = settings.decimal("slope");
        if (slope >= 1) {
            throw refusal("slope=" + settings.text("slope"), "0 to below 1");
        }
        return "ramp".equals(settings.text("layers"))
                ? LayerBudgets.ramp(mean, layers, slope)
                : LayerBudgets.uniform(mean, layers);
    }

    private static ScissorPlan plan(CacheSettings settings, int budget) {
        double share = settings.decimal("drop");
        if (share <= 0 || share >= 1) {
            throw refusal("drop=" + settings.text("drop"), "above 0, below 1");
        }
        int drop = (int) Math.max(1, Math.round(share * budget));
        int window = given(settings, "window", budget < USUAL_WINDOW ? Math.min(USUAL_WINDOW, drop) : USUAL_WINDOW);
        int recent = given(settings, "recent", budget < USUAL_WINDOW ? Math.max(4, budget / 16) : USUAL_RECENT);
        // What is still exact is never let go of.
        recent = Math.max(recent, settings.number("recent_exact"));
        if (recent + drop > budget) {
            throw refusal(
                    "a budget of " + budget + " tokens, of which " + drop + " go at once and " + recent + " never go",
                    "a budget of at least " + (recent + drop) + " here, a smaller drop, or fewer recent");
        }
        boolean ring = "ring".equals(settings.text("history"));
        if ("counter".equals(settings.text("history")) && window > drop) {
            throw refusal(
                    "history=counter with window=" + window,
                    "a window of at most the " + drop + " tokens that go at once, or history=ring");
        }
        return new ScissorPlan(
                budget,
                drop,
                window,
                recent,
                given(settings, "block", Math.min(drop, USUAL_BLOCK)),
                "dense".equals(settings.text("prompt")),
                "any".equals(settings.text("heads")),
                "seen".equals(settings.text("threshold")),
                ring || window > drop);
    }

    private static int given(CacheSettings settings, String option, int otherwise) {
        int number = settings.number(option);
        return number == 0 ? otherwise : number;
    }

    private static InvalidInputException refusal(String found, String allowed) {
        return new InvalidInputException("scissorhands: " + found + " is not possible, allowed: " + allowed);
    }

    /** Of any steps if the prompt comes in blocks, else of one prompt; with {@code layers=persistence} as for uniform budgets. */
    @Override
    public Footprint estimate(CacheSettings settings, CacheShape shape, int tokens) {
        CacheShape one = shape.withLayers(1);
        Footprint sum = Footprint.ZERO;
        for (int budget : budgets(settings, shape.layers())) {
            ScissorPlan plan = plan(settings, budget);
            int slots = plan.dense() ? plan.sizeAfter(0, tokens) : plan.sizeOf(tokens);
            int numbers = plan.numbers(shape.queriesPerKvHead());
            long indices = KeptLayers.indexBytes(shape.kvHeads(), slots, numbers);
            sum = sum.plus(RecentExact.estimate(settings.spec("store"), one, slots, settings.number("recent_exact")))
                    .plus(new Footprint(0, 0, 0, indices, 0));
        }
        return sum;
    }
}
