package dev.kvasir.train.data;

import dev.kvasir.KvasirException;
import dev.kvasir.lab.task.Split;
import dev.kvasir.train.recipe.Recipe;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;

/** The batches of a run, in order from any step on, made one thread ahead of the trainer. */
public final class BatchStream implements AutoCloseable {
    private static final int AHEAD = 4;

    private final Recipe recipe;
    private final Map<String, RowSource> sources;
    private final BlockingQueue<Object> ready = new ArrayBlockingQueue<>(AHEAD);
    private final Thread maker;

    /** Starts making batches from {@code firstStep} on. */
    public BatchStream(Recipe recipe, Map<String, RowSource> sources, long firstStep) {
        this.recipe = recipe;
        this.sources = sources;
        this.maker = Thread.ofPlatform().daemon().name("batches").start(() -> make(firstStep));
    }

    /** The next batch; waits for it. */
    public Batch next() throws InterruptedException {
        Object item = ready.take();
        if (item instanceof Batch batch) {
            return batch;
        }
        throw new KvasirException("a batch could not be made: " + item, (Throwable) item);
    }

    @Override
    public void close() {
        maker.interrupt();
    }

    /** The batch of a step, whoever asks. */
    static Batch batchAt(Recipe recipe, Map<String, RowSource> sources, long step) {
        Recipe.Stage stage = recipe.stageAt(step);
        List<Row> rows = new ArrayList<>();
        for (int r = 0; r < stage.rows(); r++) {
            SplittableRandom random = Mixing.random(recipe.seed(), step, r);
            RowSource source = pick(stage.mixture(), random.nextDouble(), sources);
            rows.add(source.row(Split.TRAIN, step * stage.rows() + r, stage.length()));
        }
        return Batch.of(rows);
    }

    private static RowSource pick(Map<String, Double> mixture, double uniform, Map<String, RowSource> sources) {
        double total =
                mixture.values().stream().mapToDouble(Double::doubleValue).sum();
        double left = uniform * total;
        String last = "";
        // Sorted, so that the order of keys in the recipe does not matter.
        for (String name : mixture.keySet().stream().sorted().toList()) {
            left -= mixture.getOrDefault(name, 0.0);
            last = name;
            if (left < 0) {
                break;
            }
        }
        RowSource source = sources.get(last);
        if (source == null) {
            throw new IllegalStateException("no source " + last);
        }
        return source;
    }

    private void make(long firstStep) {
        try {
            for (long step = firstStep; step < recipe.steps(); step++) {
                ready.put(batchAt(recipe, sources, step));
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        } catch (RuntimeException e) {
            ready.clear();
            boolean told = ready.offer(e);
            assert told : "the queue was just cleared";
        }
    }
}
