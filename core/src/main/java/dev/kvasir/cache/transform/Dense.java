package dev.kvasir.cache.transform;

import dev.kvasir.cache.kernel.Kernels;
import java.util.Arrays;
import java.util.concurrent.atomic.AtomicReferenceArray;
import org.jspecify.annotations.Nullable;

/** An orthonormal change of basis by its matrix: {@code width^2} products a row. */
final class Dense implements Orthonormal {
    /** Rows that are worked on together. */
    private static final int ROWS = 16;

    private static final int BUFFERS = 64;

    private final Kernels kernels = Kernels.best();
    private final int width;
    private final float[] matrix;
    private final float[] transposed;
    /** Results on their way back into place, lent to one thread at a time. */
    private final AtomicReferenceArray<float @Nullable []> buffers = new AtomicReferenceArray<>(BUFFERS);

    /** By an orthonormal {@code matrix[out][in]}. */
    Dense(float[] matrix) {
        this.width = (int) Math.round(Math.sqrt(matrix.length));
        this.matrix = matrix;
        this.transposed = new float[matrix.length];
        for (int i = 0; i < width; i++) {
            for (int j = 0; j < width; j++) {
                transposed[j * width + i] = matrix[i * width + j];
            }
        }
    }

    @Override
    public boolean isNone() {
        return false;
    }

    @Override
    public int width() {
        return width;
    }

    @Override
    public void apply(float[] x, int offset, int rows) {
        multiply(x, offset, rows, transposed);
    }

    @Override
    public void invert(float[] x, int offset, int rows) {
        multiply(x, offset, rows, matrix);
    }

    /** Each row {@code x} becomes {@code x factor}. */
    private void multiply(float[] x, int offset, int rows, float[] factor) {
        float[] buffer = take();
        for (int row = 0; row < rows; row += ROWS) {
            int count = Math.min(ROWS, rows - row);
            int at = offset + row * width;
            Arrays.fill(buffer, 0, count * width, 0f);
            kernels.sums(x, at, width, count, factor, 0, width, width, width, buffer, 0, width);
            System.arraycopy(buffer, 0, x, at, count * width);
        }
        giveBack(buffer);
    }

    private float[] take() {
        for (int i = 0; i < BUFFERS; i++) {
            float[] buffer = buffers.get(i) == null ? null : buffers.getAndSet(i, null);
            if (buffer != null) {
                return buffer;
            }
        }
        return new float[ROWS * width];
    }

    private void giveBack(float[] buffer) {
        for (int i = 0; i < BUFFERS; i++) {
            if (buffers.compareAndSet(i, null, buffer)) {
                return;
            }
        }
    }
}
