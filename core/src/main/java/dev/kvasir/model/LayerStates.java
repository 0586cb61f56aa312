package dev.kvasir.model;

import dev.kvasir.cache.Queries;
import dev.kvasir.cache.TokenStates;
import dev.kvasir.tensor.Linear;
import dev.kvasir.tensor.Matrix;
import dev.kvasir.tensor.RotaryOrder;
import dev.kvasir.tensor.RotaryTable;
import dev.kvasir.tensor.Workers;
import java.util.List;
import java.util.Optional;
import java.util.function.IntConsumer;

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
    private final List<LayerHeads> heads;
    private final List<RotaryTable> rotaries;
    private float[] residual = {};
    private float[] input = {};
    private final Lazy queries = new Lazy();
    private final Lazy rotatedQueries = new Lazy();
    private final Lazy keys = new Lazy();
    private final Lazy rotatedKeys = new Lazy();
    private final Lazy values = new Lazy();
    private Weights.Layer weights;
    private LayerHeads head;
    private RotaryTable rotary;
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
        this.workers = workers;
        this.linear = linear;
        this.heads = LayerHeads.of(model);
        this.rotaries = Model.rotaryTables(config);
        this.weights = model.weights().layers().getFirst();
        this.head = heads.getFirst();
        this.rotary = rotaries.getFirst();
    }

    /** Makes room for a step of {@code count} tokens, the first at {@code firstPosition}. */
    void reserve(int count, int firstPosition) {
        for (int i = 0; i < rotaries.size(); i++) {
            rotaries.get(i).reach(firstPosition + count - 1);
        }
        this.count = count;
        this.firstPosition = firstPosition;
    }

    /**
     * Turns to a layer, which {@code residual [count][hiddenSize]} enters; its normed {@code input}, of the same shape, is
     * already given to the products.
     */
    void begin(int layer, Weights.Layer weights, float[] residual, float[] input) {
        this.weights = weights;
        this.head = heads.get(layer);
        this.rotary = rotaries.get(layer);
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
        if (!keys.done) {
            project(keys, weights.k());
            finish(head.keys(), keys.array, config.kvHeads());
        }
        return keys.array;
    }

    @Override
    public float[] keys() {
        return rotate(rotatedKeys, keysBeforeRope(), config.kvHeads());
    }

    @Override
    public float[] values() {
        if (!values.done) {
            project(values, weights.v());
            float[] bias = weights.extras().valueBias();
            if (bias.length > 0) {
                float[] out = values.array;
                TokenParts.run(workers, count, bias.length, t -> HeadFinish.addBias(bias, out, t * bias.length));
            }
        }
        return values.array;
    }

    @Override
    public float[] queriesBeforeRope() {
        if (!queries.done) {
            project(queries, weights.q());
            finish(head.queries(), queries.array, config.heads());
        }
        return queries.array;
    }

    @Override
    public float[] queries() {
        return rotate(rotatedQueries, queriesBeforeRope(), config.heads());
    }

    private void project(Lazy target, Matrix matrix) {
        target.reserve(count * matrix.rows());
        linear.apply(matrix, target.array);
        target.done = true;
    }

    private void finish(HeadFinish finish, float[] rows, int of) {
        if (finish.isNeeded()) {
            int width = of * config.headDim();
            TokenParts.run(workers, count, width, t -> finish.apply(rows, t * width, of));
        }
    }

    private float[] rotate(Lazy target, float[] source, int of) {
        if (!head.turns()) {
            return source;
        }
        if (!target.done) {
            int width = of * config.headDim();
            target.reserve(count * width);
            TokenParts.run(workers, count, width, turning(source, of, width, target.array));
            target.done = true;
        }
        return target.array;
    }

    private IntConsumer turning(float[] source, int of, int width, float[] out) {
        Optional<RotaryOrder> order = weights.rotaryOrder();
        RotaryTable table = rotary;
        if (order.isPresent()) {
            return t -> table.rotate(firstPosition + t, of, order.get(), source, t * width, out, t * width);
        }
        return t -> table.rotate(firstPosition + t, of, source, t * width, out, t * width);
    }
}
