package dev.kvasir.cache.method.rotatekv;

import dev.kvasir.cache.CacheShape;
import dev.kvasir.cache.Derivations;
import dev.kvasir.cache.Projections;
import dev.kvasir.cache.kernel.Kernels;
import dev.kvasir.cache.store.MatrixProduct;
import dev.kvasir.cache.transform.Transform;
import dev.kvasir.tensor.DType;
import dev.kvasir.tensor.Matrix;
import dev.kvasir.tensor.RowReader;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/**
 * A layer's key and value projections with the bases folded in, so that their outputs are what is stored: {@code W_k' = P (I x
 * H_m) W_k} and {@code W_v' = (I x H_d) W_v} (RotateKV, arXiv 2501.16383, weight fusing), F32 {@code [kvHeads *
 * headDim][hiddenSize]}.
 */
record FusedProjections(MatrixProduct keys, MatrixProduct values) {
    private static final ValueLayout.OfFloat F32 = ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    /** Those of {@code layer}, made once for all caches of the model; the value basis is applied to each head. */
    static FusedProjections of(
            Projections weights, int layer, KeyBasis keyBasis, Transform valueBasis, Kernels kernels) {
        Derivations made = weights.derivations();
        String name = RotateKvPlan.NAME + " layer " + layer;
        Matrix keys = made.get(
                name + " keys " + keyBasis.name(), Matrix.class, () -> fused(weights.keys(layer), keyBasis::apply));
        Matrix values = made.get(
                name + " values",
                Matrix.class,
                () -> fused(
                        weights.values(layer),
                        (rows, count) -> valueBasis.apply(rows, 0, rows.length / valueBasis.width())));
        return new FusedProjections(new MatrixProduct(kernels, keys), new MatrixProduct(kernels, values));
    }

    /** Bytes of a layer's. */
    static long bytes(CacheShape shape) {
        return 2L * Float.BYTES * shape.kvHeads() * shape.headDim() * shape.hiddenSize();
    }

    /** Brings {@code count} rows of all channels into a basis, in place. */
    private interface Basis {
        void apply(float[] rows, int count);
    }

    /** What one input contributes to all channels is a column of the weights: that is what the basis turns. */
    private static Matrix fused(Matrix weights, Basis basis) {
        int channels = weights.rows();
        int inputs = weights.columns();
        float[] columns = new float[Math.multiplyExact(inputs, channels)];
        float[] row = new float[inputs];
        for (int c = 0; c < channels; c++) {
            RowReader.read(weights, c, 0, inputs, row, 0);
            for (int i = 0; i < inputs; i++) {
                columns[i * channels + c] = row[i];
            }
        }
        basis.apply(columns, inputs);
        MemorySegment data = Arena.ofAuto().allocate(4L * columns.length, 64);
        for (int c = 0; c < channels; c++) {
            for (int i = 0; i < inputs; i++) {
                row[i] = columns[i * channels + c];
            }
            MemorySegment.copy(row, 0, data, F32, 4L * c * inputs, inputs);
        }
        return new Matrix(DType.F32, channels, inputs, data);
    }
}
