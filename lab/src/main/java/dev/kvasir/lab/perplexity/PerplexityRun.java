package dev.kvasir.lab.perplexity;

import dev.kvasir.InvalidInputException;
import dev.kvasir.cache.CacheSpec;
import dev.kvasir.lab.metric.ReferenceDistribution;
import dev.kvasir.lab.step.Progress;
import dev.kvasir.lab.step.ProgressMeter;
import dev.kvasir.lab.step.Sequence;
import dev.kvasir.lab.step.StepModel;
import java.util.ArrayList;
import java.util.List;

/**
 * Reads a text through several caches at once and measures their predictions against the exact cache's.
 *
 * <p>The text is cut into windows of N tokens, each read by new, empty caches. The first P tokens of a window are fed as
 * one step, so that the prompt sees itself exactly; tokens P to N - 1 are fed one by one and read everything earlier from
 * the cache. The logits after token i predict token i + 1; counted are i = P to N - 2. No token is added anywhere. The
 * footprint is taken when all N tokens are stored.
 *
 * <p>All caches go through a window in lockstep beside the reference, so that a single vector of reference logits exists
 * at a time.
 */
public final class PerplexityRun {
    private final StepModel model;
    private final CacheSpec reference;
    private final PerplexityOptions options;

    /**
     * A run over windows of {@code options}.
     *
     * @param reference the exact cache
     * @throws InvalidInputException if a window is longer than the model's context
     */
    public PerplexityRun(StepModel model, CacheSpec reference, PerplexityOptions options) {
        if (options.context() > model.contextLength()) {
            throw new InvalidInputException(
                    "context: " + options.context() + " tokens, the model has at most " + model.contextLength());
        }
        this.model = model;
        this.reference = reference;
        this.options = options;
    }

    /**
     * Measures each of {@code caches}; the results are in their order.
     *
     * @param tokens the text's ids
     * @throws InvalidInputException if the text is shorter than one window
     */
    public List<PerplexityResult> run(int[] tokens, List<CacheSpec> caches, Progress progress) {
        int windows = options.windowsIn(tokens.length);
        int predictions = Math.multiplyExact(windows, options.countedPerWindow());
        List<PredictionTally> tallies = caches.stream()
                .map(spec -> new PredictionTally(spec.toString(), predictions))
                .toList();
        ProgressMeter meter = new ProgressMeter(progress, "perplexity", "tokens", (long) windows * options.context());
        for (int window = 0; window < windows; window++) {
            List<Sequence> open = new ArrayList<>();
            try {
                readWindow(tokens, window * options.context(), caches, tallies, open, meter);
            } finally {
                open.forEach(Sequence::close);
            }
        }
        return tallies.stream().map(tally -> tally.result(windows)).toList();
    }

    private void readWindow(
            int[] tokens,
            int start,
            List<CacheSpec> caches,
            List<PredictionTally> tallies,
            List<Sequence> open,
            ProgressMeter meter) {
        Sequence exact = opened(reference, open);
        List<Sequence> sequences = new ArrayList<>();
        for (CacheSpec spec : caches) {
            sequences.add(model.complete(spec).equals(model.complete(reference)) ? exact : opened(spec, open));
        }
        if (options.prefill() > 0) {
            model.feedAll(open, tokens, start, options.prefill());
            meter.advance(options.prefill());
        }
        Position position = new Position(model.vocabularySize());
        for (int i = options.prefill(); i < options.context(); i++) {
            boolean counted = i < options.context() - 1;
            exact.feed(tokens, start + i, 1, position.exactLogits);
            if (counted) {
                position.takeExact(reference.toString());
            }
            for (int c = 0; c < sequences.size(); c++) {
                Sequence sequence = sequences.get(c);
                boolean isExact = sequence.equals(exact);
                if (!isExact) {
                    sequence.feed(tokens, start + i, 1, position.logits);
                }
                if (counted) {
                    float[] own = isExact ? position.exactLogits : position.logits;
                    tallies.get(c).add(own, tokens[start + i + 1], position.exact);
                }
            }
            meter.advance(1);
        }
        for (int c = 0; c < sequences.size(); c++) {
            tallies.get(c).endWindow(sequences.get(c));
        }
    }

    private Sequence opened(CacheSpec spec, List<Sequence> open) {
        Sequence sequence = model.open(spec);
        open.add(sequence);
        return sequence;
    }

    /** The logits of one position: those of the exact cache and, one after another, those of the others. */
    private static final class Position {
        private final float[] exactLogits;
        private final float[] logits;
        private final ReferenceDistribution exact;

        Position(int vocabularySize) {
            exactLogits = new float[vocabularySize];
            logits = new float[vocabularySize];
            exact = new ReferenceDistribution(vocabularySize);
        }

        void takeExact(String cache) {
            PredictionTally.requireFinite(cache, exactLogits);
            exact.set(exactLogits);
        }
    }
}
