package dev.kvasir.train.net;

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
