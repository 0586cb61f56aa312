package dev.kvasir.cli.command;

import dev.kvasir.InvalidInputException;
import dev.kvasir.cache.CacheModel;
import dev.kvasir.cache.CacheSpec;
import dev.kvasir.cache.Caches;
import dev.kvasir.cache.KvCache;
import dev.kvasir.cache.PagePool;
import dev.kvasir.chat.ChatTemplate;
import dev.kvasir.cli.ProgressDisplay;
import dev.kvasir.cli.Terminal;
import dev.kvasir.cli.UsageException;
import dev.kvasir.cli.option.ComputeOptions;
import dev.kvasir.cli.option.ModelOption;
import dev.kvasir.cli.option.WeightsOption;
import dev.kvasir.engine.CalibrationRun;
import dev.kvasir.engine.Generator;
import dev.kvasir.format.Models;
import dev.kvasir.lab.step.EngineModel;
import dev.kvasir.lab.step.StepModel;
import dev.kvasir.model.Decoder;
import dev.kvasir.model.Model;
import dev.kvasir.tensor.Precision;
import dev.kvasir.tensor.Workers;
import dev.kvasir.tokenizer.Tokenizer;
import java.io.BufferedInputStream;
import java.io.BufferedOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.HashSet;
import java.util.Optional;
import java.util.Set;
import java.util.function.BiFunction;

/** A model open for generating: its tokenizer, threads, cache memory and decoder. */
final class Session implements AutoCloseable {
    private static final int PREFILL_CHUNK = 512;

    private final Path path;
    private final Model model;
    /** One for all caches, which share what they make of the weights. */
    private final CacheModel cacheModel;

    private final Tokenizer tokenizer;
    private final Workers workers;
    private final PagePool pool;
    private final Precision precision;
    private final Decoder decoder;

    private Session(Path path, Model model, Tokenizer tokenizer, Workers workers, PagePool pool, Precision precision) {
        this.path = path;
        this.model = model;
        this.cacheModel = model.cacheModel();
        this.tokenizer = tokenizer;
        this.workers = workers;
        this.pool = pool;
        this.precision = precision;
        this.decoder = new Decoder(model, workers, precision);
    }

    /** Opens the model; fails with a line about the option or the file that does not serve. */
    static Session open(ModelOption option, ComputeOptions compute) {
        return open(option, compute, Precision.F32);
    }

    /** As {@link #open(ModelOption, ComputeOptions)}, with prompts computed in {@code precision}. */
    static Session open(ModelOption option, ComputeOptions compute, Precision precision) {
        return open(option, compute, precision, (model, _) -> model);
    }

    /** As {@link #open(ModelOption, ComputeOptions, Precision)}, with weights as the option says. */
    static Session open(
            ModelOption option, ComputeOptions compute, Precision precision, WeightsOption weights, Terminal terminal) {
        return open(option, compute, precision, (model, workers) -> {
            try (ProgressDisplay progress = new ProgressDisplay(terminal)) {
                return weights.apply(model, workers, Progresses.weights(progress, "weights"));
            }
        });
    }

    private static Session open(
            ModelOption option,
            ComputeOptions compute,
            Precision precision,
            BiFunction<Model, Workers, Model> weights) {
        compute.check();
        Path folder = option.folder();
        Model stored = Models.open(folder);
        Tokenizer tokenizer = Tokenizer.open(folder, stored.config().vocabularySize());
        Workers workers = Workers.of(compute.threads());
        try {
            Model model = weights.apply(stored, workers);
            PagePool pool = new PagePool(compute.cacheBudget(model.weightBytes()));
            return new Session(folder, model, tokenizer, workers, pool, precision);
        } catch (RuntimeException e) {
            workers.close();
            tokenizer.close();
            throw e;
        }
    }

    Model model() {
        return model;
    }

    Tokenizer tokenizer() {
        return tokenizer;
    }

    /** A generation loop over this model. */
    Generator newGenerator() {
        return new Generator(model, tokenizer, decoder, PREFILL_CHUNK);
    }

    /**
     * A generation loop that also ends where a turn ends: at the token that follows an answer in the template, and at the one
     * that the tokenizer's configuration calls the end.
     */
    Generator newGenerator(ChatTemplate template) {
        Set<Integer> ends = new HashSet<>();
        tokenizer.id(template.endToken()).ifPresent(ends::add);
        int[] after = tokenizer.encode(template.afterAnswer());
        if (after.length > 0 && tokenizer.isSpecial(after[0])) {
            ends.add(after[0]);
        }
        return new Generator(model, tokenizer, decoder, PREFILL_CHUNK, ends);
    }

    /** The chat template that comes with the model. */
    Optional<ChatTemplate> chatTemplate() {
        return ChatTemplate.of(path);
    }

    /**
     * Feeds the last token that was generated, which a generation leaves out of the cache, so that what comes next follows
     * all that was said. Not the token that ends a text, nor where the context is full.
     */
    void takeLast(KvCache cache, Generator.Result result) {
        if (result.ids().length > 0
                && result.finish() != Generator.Finish.EOS
                && result.finish() != Generator.Finish.BUDGET
                && cache.length() < model.config().contextLength()) {
            int[] last = {result.ids()[result.ids().length - 1]};
            decoder.forward(cache, last, 0, 1, new float[model.config().vocabularySize()]);
        }
    }

    /** This model as the lab's measurements see it. */
    StepModel stepModel() {
        return new EngineModel(model, pool, workers, precision);
    }

    /** Calibrations of this model. */
    CalibrationRun calibrationRun() {
        return new CalibrationRun(model, pool, workers);
    }

    /** What prompts are computed in. */
    Precision precision() {
        return precision;
    }

    /** The threads themselves. */
    Workers workers() {
        return workers;
    }

    /** Threads that compute. */
    int threads() {
        return workers.threads();
    }

    /**
     * Ids to feed into {@code cache}. A text that starts a sequence gets the model's first token, if it has one.
     *
     * @throws UsageException if there is nothing to feed
     * @throws InvalidInputException if cache and text together are longer than the model's context
     */
    int[] prompt(String text, KvCache cache) {
        int[] ids = tokenizer.encode(text);
        if (cache.length() == 0 && model.config().bosToken().isPresent()) {
            int[] withStart = new int[ids.length + 1];
            withStart[0] = model.config().bosToken().get();
            System.arraycopy(ids, 0, withStart, 1, ids.length);
            ids = withStart;
        }
        if (ids.length == 0) {
            throw new UsageException("the prompt is empty: allowed is at least one token");
        }
        int context = model.config().contextLength();
        if ((long) cache.length() + ids.length > context) {
            throw new InvalidInputException("the prompt has " + ids.length + " tokens and the cache " + cache.length()
                    + ": together allowed are " + context + ", the context of " + model.name());
        }
        return ids;
    }

    /** A new, empty cache. */
    KvCache newCache(CacheSpec spec) {
        return Caches.create(spec, cacheModel, pool, workers);
    }

    /** A cache that {@link #save} wrote for this model. */
    KvCache load(Path file) throws IOException {
        try (InputStream in = new BufferedInputStream(Files.newInputStream(file))) {
            return Caches.load(in, model.fingerprint(), cacheModel, pool, workers);
        }
    }

    /** Writes the cache beside {@code file} first, so that an error leaves the old file as it was. */
    void save(KvCache cache, Path file) throws IOException {
        Path folder = file.toAbsolutePath().getParent();
        Path unfinished = Files.createTempFile(folder, ".kvasir", ".unfinished");
        try {
            try (OutputStream out = new BufferedOutputStream(Files.newOutputStream(unfinished))) {
                cache.save(out, model.fingerprint());
            }
            Files.move(unfinished, file, StandardCopyOption.REPLACE_EXISTING);
        } finally {
            Files.deleteIfExists(unfinished);
        }
    }

    @Override
    public void close() {
        pool.close();
        workers.close();
        tokenizer.close();
    }
}
