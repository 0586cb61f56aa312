package dev.kvasir.model;

import dev.kvasir.tensor.DType;
import dev.kvasir.tensor.Matrix;
import dev.kvasir.tensor.PackedReference;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.random.RandomGenerator;
import java.util.random.RandomGeneratorFactory;

/** Models with random weights for tests: same configuration, type and seed, same model. */
public final class TestModels {
    private static final ValueLayout.OfFloat F32 = ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfShort F16 = ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private TestModels() {}

    /** A small configuration: vocabulary 97, context 512, tied embeddings, no rope scaling. */
    public static ModelConfig config(int hiddenSize, int layers, int heads, int kvHeads, int headDim) {
        return ModelConfig.llama(
                hiddenSize,
                hiddenSize * 5 / 2,
                layers,
                heads,
                kvHeads,
                headDim,
                97,
                512,
                1e-5f,
                10_000,
                RopeScaling.none(),
                true,
                Optional.of(0),
                List.of(1));
    }

    /** A model whose activations and attention scores stay of the order of one. */
    public static Model random(ModelConfig config, DType dtype, long seed) {
        RandomGenerator random = RandomGeneratorFactory.of("L64X128MixRandom").create(seed);
        int hidden = config.hiddenSize();
        int queries = config.heads() * config.headDim();
        int keys = config.kvHeads() * config.headDim();
        int inner = config.intermediateSize();
        Matrix embedding = matrix(dtype, config.vocabularySize(), hidden, 1, random);
        List<Weights.Layer> layers = new ArrayList<>();
        for (int i = 0; i < config.layers(); i++) {
            layers.add(new Weights.Layer(
                    norm(hidden, random),
                    matrix(dtype, queries, hidden, random),
                    matrix(dtype, keys, hidden, random),
                    matrix(dtype, keys, hidden, random),
                    matrix(dtype, hidden, queries, random),
                    norm(hidden, random),
                    matrix(dtype, inner, hidden, random),
                    matrix(dtype, inner, hidden, random),
                    matrix(dtype, hidden, inner, random)));
        }
        float[] finalNorm = norm(hidden, random);
        Matrix output = config.tiedEmbeddings() ? embedding : matrix(dtype, config.vocabularySize(), hidden, random);
        Weights weights = new Weights(embedding, layers, finalNorm, output);
        return new Model("random", config, weights, "%016x".formatted(seed), bytes(weights, config));
    }

    /** A matrix of normal numbers that keeps the size of a vector it maps. */
    public static Matrix matrix(DType dtype, int rows, int columns, RandomGenerator random) {
        return matrix(dtype, rows, columns, 1 / Math.sqrt(columns), random);
    }

    private static Matrix matrix(DType dtype, int rows, int columns, double deviation, RandomGenerator random) {
        // Files align nothing: start the data at an odd address.
        long bytes = rows * dtype.bytes(columns);
        MemorySegment data = Arena.ofAuto().allocate(bytes + 1).asSlice(1);
        if (dtype.isPacked()) {
            for (long at = 0; at < bytes; at += dtype.blockBytes()) {
                byte[] block = PackedReference.random(dtype, deviation, random);
                MemorySegment.copy(block, 0, data, ValueLayout.JAVA_BYTE, at, block.length);
            }
            return new Matrix(dtype, rows, columns, data);
        }
        for (long i = 0; i < (long) rows * columns; i++) {
            write(dtype, data, i, (float) (random.nextGaussian() * deviation));
        }
        return new Matrix(dtype, rows, columns, data);
    }

    private static void write(DType dtype, MemorySegment data, long index, float value) {
        switch (dtype) {
            case F32 -> data.set(F32, 4 * index, value);
            case F16 -> data.set(F16, 2 * index, Float.floatToFloat16(value));
            case BF16 -> {
                int bits = Float.floatToRawIntBits(value);
                data.set(F16, 2 * index, (short) ((bits + 0x7fff + (bits >>> 16 & 1)) >>> 16));
            }
            default -> throw new IllegalArgumentException(dtype + " is packed");
        }
    }

    /** One element, read without any kernel. */
    public static float element(Matrix matrix, int row, int column) {
        long index = (long) row * matrix.columns() + column;
        return switch (matrix.dtype()) {
            case F32 -> matrix.data().get(F32, 4 * index);
            case F16 -> Float.float16ToFloat(matrix.data().get(F16, 2 * index));
            case BF16 -> Float.intBitsToFloat(matrix.data().get(F16, 2 * index) << 16);
            default -> PackedReference.row(matrix, row)[column];
        };
    }

    /** A row, read without any kernel. */
    public static float[] row(Matrix matrix, int row) {
        if (matrix.dtype().isPacked()) {
            return PackedReference.row(matrix, row);
        }
        float[] values = new float[matrix.columns()];
        for (int column = 0; column < values.length; column++) {
            values[column] = element(matrix, row, column);
        }
        return values;
    }

    private static float[] norm(int channels, RandomGenerator random) {
        float[] norm = new float[channels];
        for (int i = 0; i < channels; i++) {
            norm[i] = (float) (1 + 0.1 * random.nextGaussian());
        }
        return norm;
    }

    private static long bytes(Weights weights, ModelConfig config) {
        long sum = weights.embedding().data().byteSize() + 4L * config.hiddenSize();
        if (!config.tiedEmbeddings()) {
            sum += weights.output().data().byteSize();
        }
        for (Weights.Layer l : weights.layers()) {
            sum += 8L * config.hiddenSize();
            for (Matrix m : List.of(l.q(), l.k(), l.v(), l.attentionOutput(), l.gate(), l.up(), l.down())) {
                sum += m.data().byteSize();
            }
        }
        return sum;
    }
}
