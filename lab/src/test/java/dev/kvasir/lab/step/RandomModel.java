package dev.kvasir.lab.step;

import dev.kvasir.model.Model;
import dev.kvasir.model.ModelConfig;
import dev.kvasir.model.RopeScaling;
import dev.kvasir.model.Weights;
import dev.kvasir.tensor.DType;
import dev.kvasir.tensor.Matrix;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.SplittableRandom;

/** A small model of random f32 weights, large enough that its predictions are not flat. */
final class RandomModel {
    private static final double SCALE = 2.5;

    private RandomModel() {}

    static Model of(int layers, int heads, int kvHeads, int headDim, int vocabulary, int context, long seed) {
        SplittableRandom random = new SplittableRandom(seed);
        int hidden = heads * headDim;
        int mlp = 2 * hidden;
        ModelConfig config = ModelConfig.llama(
                hidden,
                mlp,
                layers,
                heads,
                kvHeads,
                headDim,
                vocabulary,
                context,
                1e-5f,
                10000,
                RopeScaling.none(),
                true,
                Optional.empty(),
                List.of());
        List<Weights.Layer> all = new ArrayList<>();
        for (int i = 0; i < layers; i++) {
            all.add(new Weights.Layer(
                    ones(hidden),
                    matrix(random, heads * headDim, hidden),
                    matrix(random, kvHeads * headDim, hidden),
                    matrix(random, kvHeads * headDim, hidden),
                    matrix(random, hidden, heads * headDim),
                    ones(hidden),
                    matrix(random, mlp, hidden),
                    matrix(random, mlp, hidden),
                    matrix(random, hidden, mlp)));
        }
        Matrix embedding = matrix(random, vocabulary, hidden);
        return new Model("random", config, new Weights(embedding, all, ones(hidden), embedding), "00", 1);
    }

    private static float[] ones(int size) {
        float[] ones = new float[size];
        Arrays.fill(ones, 1);
        return ones;
    }

    private static Matrix matrix(SplittableRandom random, int rows, int columns) {
        MemorySegment data = Arena.ofAuto().allocate(4L * rows * columns, 64);
        for (long i = 0; i < (long) rows * columns; i++) {
            float value = (float) (SCALE * (random.nextDouble() - 0.5) / Math.sqrt(columns));
            data.setAtIndex(ValueLayout.JAVA_FLOAT, i, value);
        }
        return new Matrix(DType.F32, rows, columns, data);
    }
}
