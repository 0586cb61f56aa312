package dev.kvasir.train.net;

import dev.kvasir.tensor.Matrix;
import dev.kvasir.tensor.RowReader;
import org.bytedeco.javacpp.FloatPointer;
import org.bytedeco.javacpp.LongPointer;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptions;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;

/** Java arrays to tensors and back. */
public final class Tensors {
    private Tensors() {}

    /** A copy of the values, shaped. */
    public static Tensor of(float[] values, long... shape) {
        try (FloatPointer pointer = new FloatPointer(values)) {
            return torch.from_blob(pointer, shape, new TensorOptions(ScalarType.Float))
                    .clone();
        }
    }

    /** A copy of the values, shaped. */
    public static Tensor of(long[] values, long... shape) {
        try (LongPointer pointer = new LongPointer(values)) {
            return torch.from_blob(pointer, shape, new TensorOptions(ScalarType.Long))
                    .clone();
        }
    }

    /** A copy of matrices of as many columns, below each other, widened to f32: {@code [all their rows][columns]}. */
    static Tensor of(Matrix... parts) {
        int columns = parts[0].columns();
        long rows = 0;
        for (Matrix part : parts) {
            rows += part.rows();
        }
        Tensor tensor = torch.empty(rows, columns);
        // Row by row: the whole may be larger than a Java array can be.
        float[] row = new float[columns];
        long at = 0;
        try (FloatPointer pointer = tensor.data_ptr_float()) {
            for (Matrix part : parts) {
                for (int r = 0; r < part.rows(); r++) {
                    RowReader.read(part, r, 0, columns, row, 0);
                    pointer.position(at).put(row);
                    at += columns;
                }
            }
        }
        return tensor;
    }

    /** The values of an f32 tensor in row-major order. */
    public static float[] floats(Tensor tensor) {
        float[] values = new float[Math.toIntExact(tensor.numel())];
        try (Tensor flat = tensor.detach().contiguous();
                FloatPointer pointer = flat.data_ptr_float()) {
            pointer.get(values);
        }
        return values;
    }

    /** The values of an int64 tensor in row-major order. */
    public static long[] longs(Tensor tensor) {
        long[] values = new long[Math.toIntExact(tensor.numel())];
        try (Tensor flat = tensor.detach().contiguous();
                LongPointer pointer = flat.data_ptr_long()) {
            pointer.get(values);
        }
        return values;
    }
}
