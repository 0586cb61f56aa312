package dev.kvasir.engine;

import dev.kvasir.InvalidInputException;
import dev.kvasir.cache.CacheSpec;
import dev.kvasir.cache.Caches;
import dev.kvasir.cache.Calibration;
import dev.kvasir.cache.Calibrator;
import dev.kvasir.cache.KvCache;
import dev.kvasir.cache.PagePool;
import dev.kvasir.model.Decoder;
import dev.kvasir.model.Model;
import dev.kvasir.tensor.Workers;
import java.util.List;

/**
 * Shows a model's keys, values and queries on whole sequences to a {@link Calibrator}.
 *
 * <p>Each sequence is one step from position 0 through {@code exact(dtype=f32)}, so that a layer sees what it would without
 * any compression. What the calibrator is shown, and in which order, does not depend on the number of threads.
 */
public final class CalibrationRun {
    private static final CacheSpec EXACT = CacheSpec.parse("exact(dtype=f32)");

    private final Model model;
    private final PagePool pool;
    private final Workers workers;
    private final Decoder decoder;
    private final float[] unusedLogits;

    /** Is told how far the run is, after every sequence. */
    @FunctionalInterface
    public interface Listener {
        /** Tells nobody. */
        Listener NONE = (pass, passes, done, total, perSecond) -> {};

        /**
         * One report.
         *
         * @param pass from 0 to {@code passes - 1}
         * @param done tokens of this pass, from 0 to {@code total}
         * @param perSecond tokens a second since the pass began; 0 before anything is done
         */
        void update(int pass, int passes, long done, long total, double perSecond);
    }

    /** Runs of {@code model}, the cache of one sequence at a time from {@code pool}; all three stay the caller's to close. */
    public CalibrationRun(Model model, PagePool pool, Workers workers) {
        this.model = model;
        this.pool = pool;
        this.workers = workers;
        this.decoder = new Decoder(model, workers);
        this.unusedLogits = new float[model.config().vocabularySize()];
    }

    /**
     * Feeds every sequence once per pass and returns what was learnt.
     *
     * @param sequences ids, each sequence of 2 tokens to the model's context length
     * @param sensitivities asked once per sequence in the passes that want them
     * @throws InvalidInputException if there is no sequence, one is too short or too long or has ids that the model does not
     *     know, or sensitivities are wanted and there is no source; found before any work
     * @throws dev.kvasir.cache.CacheBudgetException if the pool cannot hold a sequence
     */
    public Calibration run(
            Calibrator calibrator, List<int[]> sequences, SensitivitySource sensitivities, Listener listener) {
        check(calibrator, sequences, sensitivities);
        long total = sequences.stream().mapToLong(sequence -> sequence.length).sum();
        int passes = calibrator.passes();
        for (int pass = 0; pass < passes; pass++) {
            calibrator.begin(pass);
            boolean wanted = calibrator.wantsSensitivity(pass);
            long start = System.nanoTime();
            long done = 0;
            listener.update(pass, passes, 0, total, 0);
            for (int[] sequence : sequences) {
                feed(calibrator, sequence, wanted ? sensitivities.of(sequence) : List.of());
                done += sequence.length;
                double seconds = (System.nanoTime() - start) / 1e9;
                listener.update(pass, passes, done, total, seconds > 0 ? done / seconds : 0);
            }
        }
        return calibrator.finish();
    }

    private void feed(Calibrator calibrator, int[] tokens, List<Calibrator.Sensitivity> sensitivities) {
        try (KvCache exact = Caches.create(EXACT, model.cacheModel(), pool, workers)) {
            KvCache watched = new WatchedCache(exact, (layer, states, queries) -> {
                Calibrator.Sensitivity sensitivity =
                        sensitivities.isEmpty() ? Calibrator.Sensitivity.NONE : sensitivities.get(layer);
                calibrator.see(layer, states, queries, sensitivity);
            });
            decoder.forward(watched, tokens, 0, tokens.length, unusedLogits);
        }
    }

    private void check(Calibrator calibrator, List<int[]> sequences, SensitivitySource sensitivities) {
        if (sequences.isEmpty()) {
            throw new InvalidInputException("a calibration needs at least 1 sequence, found none");
        }
        int context = model.config().contextLength();
        int vocabulary = model.config().vocabularySize();
        for (int[] sequence : sequences) {
            if (sequence.length < 2 || sequence.length > context) {
                throw new InvalidInputException("sequences to calibrate with must have 2 to " + context
                        + " tokens, the context of " + model.name() + ", found " + sequence.length);
            }
            for (int token : sequence) {
                if (token < 0 || token >= vocabulary) {
                    throw new InvalidInputException("token ids must be 0 to " + (vocabulary - 1) + ", found " + token);
                }
            }
        }
        for (int pass = 0; pass < calibrator.passes(); pass++) {
            if (calibrator.wantsSensitivity(pass) && sensitivities.equals(SensitivitySource.NONE)) {
                throw new InvalidInputException(
                        "this calibration needs the gradients of the loss, and nothing here computes them");
            }
        }
    }
}
