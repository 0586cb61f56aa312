package dev.kvasir.format;

import dev.kvasir.InvalidInputException;
import dev.kvasir.tensor.DType;
import dev.kvasir.tensor.Matrix;
import dev.kvasir.tensor.Quantize;
import dev.kvasir.tensor.RowReader;
import dev.kvasir.tensor.Workers;
import java.lang.foreign.MemorySegment;

/**
 * A matrix in another type and perhaps another order of rows, made piece by piece by several threads.
 *
 * @param name for messages
 * @param source what is read
 * @param type what is made
 * @param rowsOfHead for each row of a head as it is made, the row of the source's head; empty where rows stay
 */
record MatrixEncoder(String name, Matrix source, DType type, int[] rowsOfHead) {
    private static final float LARGEST_F16 = 65504;
    /** Numbers of a part that one thread makes at a time: far more work than a hand-off. */
    private static final int PART = 1 << 16;

    /** Checks that the type can be made and fits. */
    MatrixEncoder {
        WeightTypes.requireMade(type);
        WeightTypes.requireFits(name, source, type);
    }

    /** Bytes of all rows. */
    long bytes() {
        return source.rows() * rowBytes();
    }

    /** Bytes of a row as it is made. */
    long rowBytes() {
        return type.bytes(source.columns());
    }

    /** Whether the bytes that are there are those wanted. */
    boolean keepsAll() {
        return type == source.dtype() && rowsOfHead.length == 0;
    }

    /**
     * Makes rows {@code from} to {@code from + count - 1}.
     *
     * @param out {@code [count][rowBytes]}
     * @throws InvalidInputException if a number is beyond the type's reach
     */
    void encode(int from, int count, MemorySegment out, Workers workers) {
        int rows = Math.max(1, PART / source.columns());
        workers.run((count + rows - 1) / rows, part -> {
            float[] numbers = new float[source.columns()];
            for (int row = part * rows; row < Math.min(count, (part + 1) * rows); row++) {
                encode(from + row, numbers, out.asSlice(row * rowBytes(), rowBytes()));
            }
        });
    }

    private void encode(int row, float[] numbers, MemorySegment out) {
        int read = rowsOfHead.length == 0 ? row : row - row % rowsOfHead.length + rowsOfHead[row % rowsOfHead.length];
        if (type == source.dtype()) {
            MemorySegment.copy(source.data(), read * rowBytes(), out, 0, rowBytes());
            return;
        }
        RowReader.read(source, read, 0, numbers.length, numbers, 0);
        requireReach(numbers);
        try {
            Quantize.encode(type, numbers, 0, numbers.length, out, 0);
        } catch (InvalidInputException e) {
            // The cause has nothing to add to its message.
            InvalidInputException named = new InvalidInputException(name + ": " + e.getMessage());
            named.addSuppressed(e);
            throw named;
        }
    }

    private void requireReach(float[] numbers) {
        if (type != DType.F16) {
            return;
        }
        for (float number : numbers) {
            if (!(Math.abs(number) <= LARGEST_F16)) {
                throw new InvalidInputException(
                        name + " has the number " + number + ", F16 reaches to 65504: choose F32 or BF16");
            }
        }
    }
}
