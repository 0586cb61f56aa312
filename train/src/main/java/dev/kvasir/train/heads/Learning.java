package dev.kvasir.train.heads;

import dev.kvasir.cache.Calibration;
import dev.kvasir.cache.Calibrator;
import dev.kvasir.cache.Queries;
import dev.kvasir.cache.TokenStates;
import java.util.List;
import java.util.Map;

/** Goes over prompts with answers and shows each layer's labels beside what its head reads. */
final class Learning implements Calibrator {
    /** Takes a layer's part of one prompt. */
    @FunctionalInterface
    interface Step {
        /**
         * One layer, one prompt.
         *
         * @param labels {@code [prompt][kvHeads]}, free to change
         */
        void take(int example, int layer, TokenStates states, Queries queries, int prompt, float[] labels);
    }

    private final List<HeadExample> examples;
    private final AnswerLogits logits;
    private final Step step;
    private int example;

    Learning(List<HeadExample> examples, AnswerLogits logits, Step step) {
        this.examples = examples;
        this.logits = logits;
        this.step = step;
    }

    @Override
    public void begin(int pass) {
        example = -1;
    }

    @Override
    public void see(int layer, TokenStates states, Queries queries, Sensitivity sensitivity) {
        if (layer == 0) {
            example++;
        }
        HeadExample now = examples.get(example);
        float[] labels = logits.of(queries.queries(), states.keys(), now.prompt(), now.answer());
        step.take(example, layer, states, queries, now.prompt(), labels);
    }

    /** Nothing: the steps keep what they make. */
    @Override
    public Calibration finish() {
        return new Calibration("", Map.of(), "", Map.of());
    }
}
