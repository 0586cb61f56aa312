package dev.kvasir.model;

import dev.kvasir.cache.Queries;
import dev.kvasir.cache.TokenStates;
import dev.kvasir.tensor.Linear;
import dev.kvasir.tensor.Matrix;
import dev.kvasir.tensor.RotaryOrder;
import dev.kvasir.tensor.RotaryTable;
import dev.kvasir.tensor.Workers;
import java.util.Optional;

/**
 * The projections of one layer for the tokens of a step, each made when first asked for and kept until the next layer.
 *
 * <p>Asking makes use of the workers, so it must not be done inside one of their parts; the arrays themselves may be read
 * anywhere.
 */
final class LayerStates implements TokenStates, Queries {
    private final ModelConfig config;
    private final Workers workers;
    private final Linear linear;
    private final RotaryTable rotary;
    private float[] residual = {};
    private float[] input = {};
    private final Lazy queries = new Lazy();
    private final Lazy rotatedQueries = new Lazy();
    private final Lazy keys = new Lazy();
    private final Lazy rotatedKeys = new Lazy();
    private final Lazy values = new Lazy();
    private Weights.Layer weights;
    private int count;
    private int firstPosition;

    /** An array and whether it holds this layer's numbers. */
    private static final class Lazy {
        float[] array = {};
        boolean done;

        void reserve(int length) {
            if (array.length < length) {
                array = new float[length];
            }
        }
    }

    LayerStates(Model model, Workers workers, Linear linear) {
        this.config = model.config();
        this.weights = model.weights().layers().getFirst();
        this.workers = workers;
        this.linear = linear;
        this.rotary = new RotaryTable(config.rotaryFrequencies());
    }

    /** Makes room for a step of {@code count} tokens, the first at {@code firstPosition}. */
    void reserve(int count, int firstPosition) {
        rotary.reach(firstPosition + count - 1);
        this.count = count;
        this.firstPosition = firstPosition;
    }

    /**
     * Turns to another layer, which {@code residual [count][hiddenSize]} enters; its normed {@code input}, of the same shape,
     * is already given to the products.
     */
    void begin(Weights.Layer weights, float[] residual, float[] input) {
        this.weights = weights;
        this.residual = residual;
        this.input = input;
        queries.done = false;
        rotatedQueries.done = false;
        keys.done = false;
        rotatedKeys.done = false;
        values.done = false;
    }

    @Override
    public int count() {
        return count;
    }

    @Override
    public int firstPosition() {
        return firstPosition;
    }

    @Override
    public float[] residual() {
        return residual;
    }

    @Override
    public float[] input() {
        return input;
    }

    @Override
    public float[] keysBeforeRope() {
        return project(keys, weights.k());
    }

    @Override
    public float[] keys() {
        return rotate(rotatedKeys, keysBeforeRope(), config.kvHeads());
    }

    @Override
    public float[] values() {
        return project(values, weights.v());
    }

    @Override
    public float[] queriesBeforeRope() {
        return project(queries, weights.q());
    }

    @Override
    public float[] queries() {
        return rotate(rotatedQueries, queriesBeforeRope(), config.heads());
    }

    private float[] project(Lazy target, Matrix matrix) {
        if (!target.done) {
            target.reserve(count * matrix.rows());
            linear.apply(matrix, target.array);
            target.done = true;
        }
        return target.array;
    }

    private float[] rotate(Lazy target, float[] source, int heads) {
        if (!target.done) {
            int width = heads * config.headDim();
            target.reserve(count * width);
            float[] out = target.array;
            Optional<RotaryOrder> order = weights.rotaryOrder();
            TokenParts.run(workers, count, width, t -> {
                if (order.isPresent()) {
                    rotary.rotate(firstPosition + t, heads, order.get(), source, t * width, out, t * width);
                } else {
                    rotary.rotate(firstPosition + t, heads, source, t * width, out, t * width);
                }
            });
            target.done = true;
        }
        return target.array;
    }
}
