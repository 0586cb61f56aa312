package dev.kvasir.train.heads;

import dev.kvasir.InvalidFileException;
import dev.kvasir.InvalidInputException;
import dev.kvasir.cache.CacheShape;
import dev.kvasir.cache.Calibration;
import dev.kvasir.cache.method.locret.RetainingHead;
import dev.kvasir.cache.method.locret.RetainingHeads;
import dev.kvasir.engine.CalibrationRun;
import dev.kvasir.engine.SensitivitySource;
import dev.kvasir.format.CalibrationFile;
import dev.kvasir.lab.task.Task;
import dev.kvasir.lab.task.Tasks;
import dev.kvasir.model.Model;
import dev.kvasir.tensor.Workers;
import dev.kvasir.tokenizer.Tokenizer;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.LongStream;

/**
 * A whole training of a model's retaining heads: documents in, a calibration file out (Locret, arXiv 2410.01805, section 3.3).
 *
 * <p>The model runs forward only, each document once through an exact cache; every layer's head takes one step on it. The run
 * is decided by its options alone, for any number of threads, and resumes exactly.
 */
public final class HeadsJob {
    private static final String STEP = "step";
    private static final int STEPS_PER_STRETCH = 20;
    private static final int STEPS_PER_CHECKPOINT = 100;
    private static final int STEPS_PER_EVALUATION = 200;
    /** Documents that the scale of labels is taken from. */
    private static final int SCALED_FROM = 20;
    /** Documents of each task in an evaluation. */
    private static final int UNSEEN = 4;

    private final Model model;
    private final CacheShape shape;
    private final HeadOptions options;
    private final HeadExamples examples;
    private final CalibrationRun run;
    private final AnswerLogits logits;
    private final HeadGradient gradient;
    private final HeadsListener listener;

    /** A training; model, run and workers stay the caller's to close. */
    public HeadsJob(
            Model model,
            Tokenizer tokenizer,
            CalibrationRun run,
            Workers workers,
            HeadOptions options,
            HeadsListener listener) {
        this.model = model;
        this.shape = model.config().cacheShape();
        this.options = options;
        this.examples = new HeadExamples(options.tasks(), tokenizer, options.length(), options.seed());
        this.run = run;
        this.logits = new AnswerLogits(shape, workers);
        this.gradient = new HeadGradient(shape, workers, 1.0 / shape.layers(), options.alpha());
        this.listener = listener;
        if (options.length() > model.config().contextLength()) {
            throw new InvalidInputException("heads: documents of " + options.length() + " tokens, " + model.name()
                    + " has a context of " + model.config().contextLength());
        }
    }

    /** Where a run keeps what it needs to go on. */
    public static Path checkpoint(Path output) {
        return output.resolveSibling(output.getFileName() + ".checkpoint");
    }

    /**
     * Trains and writes the heads.
     *
     * @param output the calibration file; the checkpoint lies beside it until the end
     * @param resume go on from the checkpoint
     * @param last stop after this step; if fewer than the options', only the checkpoint is written
     * @return overlap at 10 % on unseen texts, by task
     * @throws InvalidFileException if there is no checkpoint to resume, or it is another run's
     */
    public Map<String, Double> run(Path output, boolean resume, long last) throws IOException {
        Path checkpoint = checkpoint(output);
        long step = 0;
        List<LayerFit> layers;
        if (resume) {
            Calibration read = readCheckpoint(checkpoint);
            step = Long.parseLong(read.options().getOrDefault(STEP, "0"));
            layers = layers(read);
        } else {
            layers = fresh();
        }
        long end = Math.min(last, options.steps());
        long began = step;
        long start = System.nanoTime();
        while (step < end) {
            int stretch = (int) Math.min(STEPS_PER_STRETCH - step % STEPS_PER_STRETCH, end - step);
            train(layers, step, stretch, began, start);
            step += stretch;
            if (step % STEPS_PER_CHECKPOINT == 0 || step == end) {
                writeCheckpoint(checkpoint, layers, step);
            }
            if (step % STEPS_PER_EVALUATION == 0 && step < options.steps()) {
                listener.onEvaluation(step, evaluate(layers));
            }
        }
        Map<String, Double> overlap = evaluate(layers);
        listener.onEvaluation(step, overlap);
        if (step == options.steps()) {
            write(output, layers, overlap);
            Files.deleteIfExists(checkpoint);
        }
        return overlap;
    }

    private List<LayerFit> fresh() {
        List<LabelScale.Gathering> gathered = new ArrayList<>();
        for (int layer = 0; layer < shape.layers(); layer++) {
            gathered.add(new LabelScale.Gathering(shape.kvHeads()));
        }
        feed(
                LongStream.range(0, SCALED_FROM).mapToObj(examples::training).toList(),
                (example, layer, states, queries, prompt, labels) ->
                        gathered.get(layer).add(labels));
        List<LayerFit> layers = new ArrayList<>();
        for (int layer = 0; layer < shape.layers(); layer++) {
            layers.add(LayerFit.fresh(
                    shape,
                    options.width(),
                    31 * options.seed() + layer,
                    gathered.get(layer).scale()));
        }
        return layers;
    }

    private void feed(List<HeadExample> some, Learning.Step step) {
        run.run(
                new Learning(some, logits, step),
                some.stream().map(HeadExample::ids).toList(),
                SensitivitySource.NONE,
                CalibrationRun.Listener.NONE);
    }

    private void train(List<LayerFit> layers, long from, int steps, long began, long start) {
        double[] loss = {0};
        List<HeadExample> some = LongStream.range(from, from + steps)
                .mapToObj(examples::training)
                .toList();
        feed(some, (example, layer, states, queries, prompt, labels) -> {
            LayerFit fit = layers.get(layer);
            fit.scale().apply(labels);
            long step = from + example;
            loss[0] += gradient.compute(
                    fit.head(), queries.queriesBeforeRope(), states.keysBeforeRope(), states.values(), prompt, labels);
            fit.step(gradient, options.rateAt(step), step + 1);
            if (layer == shape.layers() - 1) {
                double perSecond = (step + 1 - began) * 1e9 / Math.max(1, System.nanoTime() - start);
                listener.onStep(
                        step + 1, options.steps(), loss[0], perSecond, (options.steps() - step - 1) / perSecond);
                loss[0] = 0;
            }
        });
    }

    /** Overlap on unseen texts of every task there is, whether it is trained on or not. */
    private Map<String, Double> evaluate(List<LayerFit> layers) {
        Map<String, Double> overlaps = new LinkedHashMap<>();
        List<RetainingHead> heads = finished(layers);
        for (Task task : Tasks.all()) {
            Overlap overlap = new Overlap();
            List<HeadExample> some = LongStream.range(0, UNSEEN)
                    .mapToObj(i -> examples.unseen(task, i))
                    .toList();
            feed(some, (example, layer, states, queries, prompt, labels) -> {
                RetainingHead head = heads.get(layer);
                float[] scores = new float[labels.length];
                head.score(
                        queries.queriesBeforeRope(),
                        states.keysBeforeRope(),
                        states.values(),
                        0,
                        prompt,
                        new float[head.roomFor(prompt)],
                        scores,
                        0);
                overlap.add(scores, labels, shape.kvHeads());
            });
            overlaps.put(task.name(), overlap.mean());
        }
        return overlaps;
    }

    private List<RetainingHead> finished(List<LayerFit> layers) {
        return layers.stream().map(fit -> fit.finished(shape)).toList();
    }

    private void write(Path output, List<LayerFit> layers, Map<String, Double> overlap) throws IOException {
        Map<String, String> text = options.asText();
        overlap.forEach((task, value) -> text.put("overlap-" + task, String.format(Locale.ROOT, "%.3f", value)));
        CalibrationFile.write(
                output,
                new Calibration(
                        RetainingHeads.METHOD,
                        text,
                        model.fingerprint(),
                        RetainingHeads.tensors(finished(layers), shape)));
    }

    private void writeCheckpoint(Path checkpoint, List<LayerFit> layers, long step) throws IOException {
        Map<String, Calibration.Tensor> tensors =
                RetainingHeads.tensors(layers.stream().map(LayerFit::head).toList(), shape);
        for (int layer = 0; layer < layers.size(); layer++) {
            layers.get(layer).write(layer, tensors);
        }
        Map<String, String> text = options.asText();
        text.put(STEP, Long.toString(step));
        CalibrationFile.write(checkpoint, new Calibration(RetainingHeads.METHOD, text, model.fingerprint(), tensors));
    }

    private Calibration readCheckpoint(Path checkpoint) {
        if (!Files.exists(checkpoint)) {
            throw new InvalidFileException(checkpoint, "there is no checkpoint to resume from");
        }
        Calibration read = CalibrationFile.read(checkpoint, RetainingHeads.METHOD, model.fingerprint());
        options.asText().forEach((name, wanted) -> {
            String found = read.options().getOrDefault(name, "missing");
            if (!found.equals(wanted)) {
                throw new InvalidFileException(
                        checkpoint, "is of another run: " + name + " is " + found + ", expected " + wanted);
            }
        });
        if (!read.options().getOrDefault(STEP, "").matches("[0-9]{1,9}")) {
            throw new InvalidFileException(
                    checkpoint, "step is " + read.options().getOrDefault(STEP, "missing") + ", expected a number");
        }
        return read;
    }

    private List<LayerFit> layers(Calibration read) {
        List<RetainingHead> heads = RetainingHeads.read(read, shape);
        List<LayerFit> layers = new ArrayList<>();
        for (int layer = 0; layer < heads.size(); layer++) {
            layers.add(LayerFit.read(layer, heads.get(layer), shape, read));
        }
        return layers;
    }
}
