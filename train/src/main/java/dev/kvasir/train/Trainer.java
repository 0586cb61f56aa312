package dev.kvasir.train;

import dev.kvasir.train.data.Batch;
import dev.kvasir.train.data.BatchStream;
import dev.kvasir.train.data.RowSource;
import dev.kvasir.train.net.LlamaNet;
import dev.kvasir.train.net.Optimization;
import dev.kvasir.train.net.Tensors;
import dev.kvasir.train.recipe.Recipe;
import java.nio.file.Path;
import java.util.Map;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptional;
import org.bytedeco.pytorch.global.torch;

/**
 * The training loop: batches in, a better net out, with checkpoints that resume exactly.
 *
 * <p>A run is decided by its recipe alone: every batch is a function of seed and step, so a checkpoint holds weights, the
 * optimiser's moments and the step, nothing else.
 */
public final class Trainer {
    private static final long SPEED_WINDOW_NANOS = 20_000_000_000L;

    private final Recipe recipe;
    private final Map<String, RowSource> sources;
    private final LlamaNet net;
    private final Optimization optimization;
    private final Evaluator evaluator;
    private final TrainListener listener;
    private long step;

    /** A run of {@code recipe} from its first step. */
    public Trainer(
            Recipe recipe, Map<String, RowSource> sources, LlamaNet net, Evaluator evaluator, TrainListener listener) {
        this.recipe = recipe;
        this.sources = sources;
        this.net = net;
        this.optimization = new Optimization(net, recipe.optimizer());
        this.evaluator = evaluator;
        this.listener = listener;
    }

    /** Steps done. */
    public long step() {
        return step;
    }

    /** Goes on from a checkpoint of the same recipe's shape. */
    public void resume(Path checkpoint) {
        step = Checkpoint.read(checkpoint, net, optimization);
    }

    /** Writes a checkpoint. */
    public void save(Path checkpoint) {
        Checkpoint.write(checkpoint, net, optimization, step);
    }

    /**
     * Trains until the recipe's end or {@code lastStep}, whichever is first.
     *
     * @param checkpoint where to save
     * @param everySteps steps between checkpoints; the last step is always saved
     */
    public void run(long lastStep, Path checkpoint, long everySteps) throws InterruptedException {
        long end = Math.min(lastStep, recipe.steps());
        Speed speed = new Speed();
        try (BatchStream batches = new BatchStream(recipe, sources, step)) {
            while (step < end) {
                Batch batch = batches.next();
                double rate = recipe.optimizer().rate(step, recipe.steps());
                double loss = train(batch, rate);
                step++;
                speed.add((long) batch.rows() * batch.length());
                long tokensLeft = recipe.tokens() - recipe.tokensUntil(step);
                listener.onStep(
                        step,
                        recipe.steps(),
                        recipe.stageAt(step - 1).name(),
                        loss,
                        rate,
                        speed.tokensPerSecond(),
                        tokensLeft / speed.tokensPerSecond());
                if (step % recipe.evaluation().everySteps() == 0 || step == recipe.steps()) {
                    listener.onEvaluation(step, evaluator.evaluate(net));
                    speed.restart();
                }
                if (step % everySteps == 0 || step == end) {
                    save(checkpoint);
                }
            }
        }
    }

    private double train(Batch batch, double rate) {
        try (PointerScope _ = new PointerScope()) {
            Tensor ids = Tensors.of(batch.inputs(), batch.rows(), batch.length());
            Tensor counted = net.hidden(ids).index_select(0, Tensors.of(batch.indices(), batch.indices().length));
            Tensor losses = torch.cross_entropy_loss(
                    net.logits(counted),
                    Tensors.of(batch.targets(), batch.targets().length),
                    new TensorOptional(),
                    torch.Reduction.None.value,
                    -100,
                    0);
            Tensor loss = losses.mul(Tensors.of(batch.weights(), batch.weights().length))
                    .sum();
            optimization.step(loss, rate);
            return loss.item_float();
        }
    }

    /** Tokens per second over a sliding stretch of about twenty seconds. */
    private static final class Speed {
        private long since = System.nanoTime();
        private long tokens;

        void add(long more) {
            tokens += more;
            if (System.nanoTime() - since > SPEED_WINDOW_NANOS) {
                double rate = tokensPerSecond();
                since = System.nanoTime() - SPEED_WINDOW_NANOS / 2;
                tokens = Math.round(rate * SPEED_WINDOW_NANOS / 2e9);
            }
        }

        double tokensPerSecond() {
            return tokens * 1e9 / Math.max(1, System.nanoTime() - since);
        }

        void restart() {
            since = System.nanoTime();
            tokens = 0;
        }
    }
}
