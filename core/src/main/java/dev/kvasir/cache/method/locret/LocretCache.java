package dev.kvasir.cache.method.locret;

import dev.kvasir.InvalidInputException;
import dev.kvasir.cache.CacheMethod;
import dev.kvasir.cache.CacheModel;
import dev.kvasir.cache.CacheOption;
import dev.kvasir.cache.CacheSettings;
import dev.kvasir.cache.CacheShape;
import dev.kvasir.cache.CacheSpec;
import dev.kvasir.cache.Caches;
import dev.kvasir.cache.Calibrator;
import dev.kvasir.cache.Footprint;
import dev.kvasir.cache.MethodNotes;
import dev.kvasir.cache.attention.LayerFactory;
import dev.kvasir.cache.selection.Budget;
import dev.kvasir.cache.selection.KeptLayers;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * Locret: a small trained head of each layer scores every token as it comes, and a prompt is read in chunks after each of which
 * every KV head is cut back to a fixed number of tokens (Huang et al., arXiv 2410.01805). The peak is that of a chunk, not that
 * of the prompt.
 *
 * <p>A step of more than one token is a prompt, or a turn of a conversation: it is cut into chunks, and its last {@code local}
 * tokens make a block of their own, which is read last and added to the budget; it may be cut back by the chunks of a later turn.
 * The chunk before it is the prompt's last, in which stabilizers have no privilege. Single tokens are decoded ones: they are
 * added and nothing goes. A step of at most {@code local} tokens lets nothing go either. A prompt that is fed in several steps is as many
 * turns.
 *
 * <p>Keys are stored before RoPE. A slot's index is its position, so the gaps of what is gone are closed, and a query stands
 * after the last slot; true positions are kept beside the tokens for rolling back, not for attention. Rolls back to the end of the
 * last chunk that something went from.
 *
 * <p>Options, with the paper's names and values for Phi-3-mini-128K and Llama-3.1-8B: {@code budget} (b: 6000, 16384), {@code
 * chunk} (B: 3072, 1024), {@code stabilizers} (n_s: 2500, 2500), {@code local} (n_loc: 100, 100); dR is the width of the heads, 1024 in
 * both. The defaults here are for short contexts: an eighth of the tokens seen at the prompt's end, a quarter of that for
 * chunk and stabilizers, 16 local tokens.
 *
 * <p>The activation of the heads is SiLU, as in all models that are read here. Their weights belong to the model, and no cache counts
 * them.
 */
public final class LocretCache implements CacheMethod {
    @Override
    public String name() {
        return RetainingHeads.METHOD;
    }

    @Override
    public String summary() {
        return "the tokens that trained heads score highest, chunk by chunk of a prompt";
    }

    @Override
    public String source() {
        return "Huang et al., Locret, arXiv 2410.01805";
    }

    @Override
    public MethodNotes notes() {
        return new MethodNotes(
                "A token's own query, key and value tell how strongly later answers will look at it, to a network of two layers"
                        + " that was trained on the answers of this very model. So tokens can go while the prompt is still"
                        + " being read, and the peak stays small too. The heads do not know the question: where only the"
                        + " question tells what matters, put it in front of the text.",
                "(keep * tokens + local) / tokens times those of the store, and 8 bytes a kept token and head",
                List.of(
                        "Phi-3-mini-128K and Llama-3.1-8B: less than 10 % of full attention's scores lost at up to 20x and 8x"
                                + " less cache",
                        "Llama-3.1-8B-instruct, L-Eval, b = 16384: NQ F1 63.03 (full 66.84), CUAD F1 37.21 (38.91),"
                                + " NarrativeQA F1 23.59 (23.11)",
                        "RULER 128K: 34.33, and 75.54 with the question in front"),
                List.of(
                        "kvasir-tiny, tasks of 1,024 tokens, an eighth kept: retrieval 96.9 %, two-hop 98.4 %, arithmetic 100.0 %;"
                                + " with heads that were not trained 39.1 %, 15.6 %, 100.0 %",
                        "the same, heads on unseen documents: overlap at 10 % 0.352, by chance 0.1"));
    }

    @Override
    public List<CacheOption> options() {
        List<CacheOption> options = new ArrayList<>(Budget.options("0.125"));
        options.add(
                CacheOption.decimal("chunk", "0.25", "tokens of a chunk, or up to 1 a share of the budget", "above 0"));
        options.add(CacheOption.decimal(
                "stabilizers",
                "0.25",
                "newest tokens that stay while the prompt is read, or up to 1 a share of the budget",
                "0 to the budget"));
        options.add(
                CacheOption.number("local", 16, "last tokens of a prompt that stay beside the budget", "at least 1"));
        options.add(CacheOption.spec("store", "exact(f16)", "what stores the tokens that stay", "exact, block, ..."));
        options.add(CacheOption.calibrationFile());
        return options;
    }

    @Override
    public String positional() {
        return "keep";
    }

    @Override
    public Optional<String> standsAlone() {
        return Optional.of("which decides by itself what it keeps");
    }

    @Override
    public boolean needsCalibration() {
        return true;
    }

    /** What learns is not shown a text: see {@link #calibratedBy}. */
    @Override
    public boolean canCalibrate() {
        return false;
    }

    @Override
    public String calibratedBy() {
        return "kvasir train heads";
    }

    @Override
    public Calibrator calibrator(CacheSettings settings, CacheModel model, String fingerprint) {
        throw new InvalidInputException("the heads of locret are trained, not calibrated: use " + calibratedBy());
    }

    @Override
    public LayerFactory layers(CacheSettings settings, CacheModel model) {
        LocretPlan plan = LocretPlan.of(settings);
        CacheShape shape = model.shape();
        CacheSpec store = settings.spec("store");
        List<RetainingHead> heads =
                RetainingHeads.read(model.calibrations().find(name(), settings.text("file")), shape);
        LayerFactory kept = KeptLayers.factory(
                name(),
                store.method(),
                shape,
                Caches.heads(name(), store, model),
                (layer, tokens, movable) -> new LocretRetention(tokens, heads.get(layer), plan));
        return LocretLayer.factory(kept, shape.kvHeads(), model::rotary);
    }

    /** Of a prompt of {@code tokens} tokens, given as one step. */
    @Override
    public Footprint estimate(CacheSettings settings, CacheShape shape, int tokens) {
        int size = LocretPlan.of(settings).sizeAfterPrompt(tokens);
        long indices = KeptLayers.indexBytes(shape.layers() * shape.kvHeads(), size, true);
        return Caches.estimate(settings.spec("store"), shape, size).plus(new Footprint(0, 0, 0, indices, 0));
    }
}
