package dev.kvasir.cache;

import dev.kvasir.tensor.DType;
import dev.kvasir.tensor.Matrix;
import dev.kvasir.tensor.RotaryTable;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.ConcurrentHashMap;

/** Random projections of a made-up model, the same for a shape at any time, and the states they make of inputs. */
public final class MadeUpWeights implements Projections {
    private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT.withOrder(ByteOrder.LITTLE_ENDIAN);
    private final CacheShape shape;
    private final Map<Integer, float[]> made = new ConcurrentHashMap<>();
    private final Derivations derivations = new Derivations();

    public MadeUpWeights(CacheShape shape) {
        this.shape = shape;
    }

    /** A model of that shape with these projections. */
    public static CacheModel model(CacheShape shape, Calibrations calibrations) {
        CacheModel plain = CacheModel.of(shape);
        return new CacheModel(
                shape, plain.rotaries(), calibrations, new MadeUpWeights(shape), plain.contextLength(), false);
    }

    @Override
    public Derivations derivations() {
        return derivations;
    }

    @Override
    public Matrix keys(int layer) {
        return matrix(2 * layer);
    }

    @Override
    public Matrix values(int layer) {
        return matrix(2 * layer + 1);
    }

    private Matrix matrix(int index) {
        float[] numbers = numbers(index);
        MemorySegment data = MemorySegment.ofArray(new byte[4 * numbers.length]);
        MemorySegment.copy(numbers, 0, data, FLOAT.withByteAlignment(1), 0, numbers.length);
        return new Matrix(DType.F32, shape.kvHeads() * shape.headDim(), shape.hiddenSize(), data);
    }

    private float[] numbers(int index) {
        return made.computeIfAbsent(index, this::make);
    }

    private float[] make(int index) {
        Random random = new Random(77_003L + index);
        float[] numbers = new float[shape.kvHeads() * shape.headDim() * shape.hiddenSize()];
        for (int i = 0; i < numbers.length; i++) {
            numbers[i] = (float) (random.nextGaussian() / Math.sqrt(shape.hiddenSize()));
        }
        return numbers;
    }

    private float[] product(int index, float[] x, int count) {
        float[] w = numbers(index);
        int rows = shape.kvHeads() * shape.headDim();
        int columns = shape.hiddenSize();
        float[] out = new float[count * rows];
        for (int t = 0; t < count; t++) {
            for (int r = 0; r < rows; r++) {
                double sum = 0;
                for (int c = 0; c < columns; c++) {
                    sum += w[r * columns + c] * (double) x[t * columns + c];
                }
                out[t * rows + r] = (float) sum;
            }
        }
        return out;
    }

    /** The states of a step with these inputs, {@code [count][hiddenSize]}. */
    public TokenStates states(int first, int count, float[] input, int layer) {
        float[] plain = product(2 * layer, input, count);
        float[] keys = plain.clone();
        RotaryTable rotary = CacheModel.of(shape).rotary();
        rotary.reach(first + count - 1);
        int width = shape.kvHeads() * shape.headDim();
        for (int t = 0; t < count; t++) {
            rotary.rotate(first + t, shape.kvHeads(), plain, t * width, keys, t * width);
        }
        float[] values = product(2 * layer + 1, input, count);
        return new TokenStates() {
            @Override
            public int count() {
                return count;
            }

            @Override
            public int firstPosition() {
                return first;
            }

            @Override
            public float[] residual() {
                return input;
            }

            @Override
            public float[] input() {
                return input;
            }

            @Override
            public float[] keysBeforeRope() {
                return plain;
            }

            @Override
            public float[] keys() {
                return keys;
            }

            @Override
            public float[] values() {
                return values;
            }
        };
    }
}
