package dev.kvasir.lab.bench;

import dev.kvasir.InvalidInputException;
import dev.kvasir.cache.CacheSpec;
import dev.kvasir.lab.metric.ProcessMemory;
import dev.kvasir.lab.step.Progress;
import dev.kvasir.lab.step.ProgressMeter;
import dev.kvasir.lab.step.Sequence;
import dev.kvasir.lab.step.StepModel;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.SplittableRandom;
import java.util.function.LongSupplier;

/**
 * Times prefill and decoding of several caches, interleaved so that a busy machine disturbs all alike.
 *
 * <ol>
 *   <li>Warm-up: each cache takes the prompt and decodes, untimed.
 *   <li>Prefill: in every repetition each cache takes the prompt as one step.
 *   <li>Alone: each cache in turn is filled to the deepest depth and decodes, untimed; then its peak memory is read.
 *   <li>Decode: each cache is filled once, in steps as {@link SpeedOptions.Fill} says, with a fork kept at every depth; in every repetition each depth's
 *       fork is forked again and decodes.
 * </ol>
 *
 * <p>Repetitions begin with another cache each time. Ratios are taken within a repetition, against the first cache given.
 */
public final class SpeedBench {
    private static final int WARM_UP_PREFILLS = 2;

    private final StepModel model;
    private final SpeedOptions options;
    private final ProcessMemory memory;
    private final LongSupplier nanoTime;
    private final int[] tokens;
    private final float[] logits;
    private Optional<StepModel.Recording> recording = Optional.empty();

    /**
     * A bench by {@code options}.
     *
     * @throws InvalidInputException if the longest sequence is longer than the model's context
     */
    public SpeedBench(StepModel model, SpeedOptions options) {
        this(model, options, ProcessMemory.ofThisProcess(), System::nanoTime);
    }

    SpeedBench(StepModel model, SpeedOptions options, ProcessMemory memory, LongSupplier nanoTime) {
        if (options.longest() > model.contextLength()) {
            throw new InvalidInputException("depth or prefill: " + options.longest()
                    + " tokens with those decoded, the model has at most " + model.contextLength());
        }
        this.model = model;
        this.options = options;
        this.memory = memory;
        this.nanoTime = nanoTime;
        this.logits = new float[model.vocabularySize()];
        this.tokens = new SplittableRandom(options.seed())
                .ints(options.longest(), 0, model.vocabularySize())
                .toArray();
    }

    /** Times each of {@code caches}; the results are in their order, the first is what ratios are against. */
    public List<SpeedResult> run(List<CacheSpec> caches, Progress progress) {
        long turns = (long) caches.size()
                * (3 + options.repetitions() * (1L + options.depths().size()));
        ProgressMeter meter = new ProgressMeter(progress, "speed", "turns", turns);
        List<SpeedTally> tallies = new ArrayList<>();
        if (options.fill() == SpeedOptions.Fill.REPEAT) {
            recording = Optional.of(model.record(tokens, 0, options.repeated()));
        }
        for (CacheSpec spec : caches) {
            tallies.add(new SpeedTally(spec.toString(), options));
            warmUp(spec);
            meter.advance(1);
        }
        for (int repetition = 0; repetition < options.repetitions(); repetition++) {
            for (int turn = 0; turn < caches.size(); turn++) {
                int c = (repetition + turn) % caches.size();
                tallies.get(c).prefill[repetition] = prefillSpeed(caches.get(c));
                meter.advance(1);
            }
        }
        for (int c = 0; c < caches.size(); c++) {
            measureAlone(caches.get(c), tallies.get(c));
            meter.advance(1);
        }
        timeDecoding(caches, tallies, meter);
        return tallies.stream().map(tally -> tally.result(tallies.getFirst())).toList();
    }

    private void warmUp(CacheSpec spec) {
        for (int i = 0; i < WARM_UP_PREFILLS; i++) {
            try (Sequence sequence = model.open(spec)) {
                sequence.feed(tokens, 0, options.prefill(), logits);
                int room = options.longest() - options.prefill();
                for (int token = 0; token < Math.min(options.decode(), room); token++) {
                    sequence.feed(tokens, options.prefill() + token, 1, logits);
                }
            }
        }
    }

    private void measureAlone(CacheSpec spec, SpeedTally tally) {
        memory.settle();
        boolean reset = memory.resetPeak();
        try (Sequence sequence = model.open(spec)) {
            int depth = options.depths().getLast();
            fill(sequence, depth);
            decode(sequence, depth);
        }
        tally.peak(memory.peakBytes(), reset);
    }

    private double prefillSpeed(CacheSpec spec) {
        try (Sequence sequence = model.open(spec)) {
            long start = nanoTime.getAsLong();
            sequence.feed(tokens, 0, options.prefill(), logits);
            return perSecond(options.prefill(), start);
        }
    }

    private void timeDecoding(List<CacheSpec> caches, List<SpeedTally> tallies, ProgressMeter meter) {
        List<List<Sequence>> filled = new ArrayList<>();
        try {
            for (CacheSpec spec : caches) {
                List<Sequence> atDepths = new ArrayList<>();
                filled.add(atDepths);
                fillDepths(spec, atDepths);
                meter.advance(1);
            }
            for (int repetition = 0; repetition < options.repetitions(); repetition++) {
                for (int depth = 0; depth < options.depths().size(); depth++) {
                    for (int turn = 0; turn < caches.size(); turn++) {
                        int c = (repetition + turn) % caches.size();
                        timeDepth(filled.get(c).get(depth), tallies.get(c), repetition, depth);
                        meter.advance(1);
                    }
                }
            }
        } finally {
            filled.forEach(atDepths -> atDepths.forEach(Sequence::close));
        }
    }

    private void fillDepths(CacheSpec spec, List<Sequence> atDepths) {
        Sequence sequence = model.open(spec);
        atDepths.add(sequence);
        for (int depth : options.depths()) {
            if (depth > sequence.length()) {
                if (depth != options.depths().getFirst()) {
                    sequence = sequence.fork();
                    atDepths.add(sequence);
                }
                fill(sequence, depth);
            }
        }
    }

    private void timeDepth(Sequence filled, SpeedTally tally, int repetition, int depth) {
        try (Sequence sequence = filled.fork()) {
            long start = nanoTime.getAsLong();
            decode(sequence, options.depths().get(depth));
            tally.decode[depth][repetition] = perSecond(options.decode(), start);
            tally.cacheBytes[depth] = sequence.footprint().total();
            tally.bitsPerElement[depth] = sequence.bitsPerElement();
        }
    }

    private void fill(Sequence sequence, int depth) {
        while (sequence.length() < depth) {
            int count = Math.min(options.fillChunk(), depth - sequence.length());
            int run = Math.min(count, options.repeated() - sequence.length());
            if (run > 0) {
                sequence.feed(tokens, sequence.length(), run, logits);
            } else {
                recording.orElseThrow().feed(sequence, count);
            }
        }
    }

    private void decode(Sequence sequence, int depth) {
        for (int i = 0; i < options.decode(); i++) {
            sequence.feed(tokens, depth + i, 1, logits);
        }
    }

    private double perSecond(int count, long start) {
        return count / (Math.max(1, nanoTime.getAsLong() - start) / 1e9);
    }
}
