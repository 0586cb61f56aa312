package dev.kvasir.cache.store;

import dev.kvasir.cache.kernel.Kernels;
import dev.kvasir.tensor.Matrix;
import dev.kvasir.tensor.RowReader;
import java.util.Arrays;

/**
 * Products of a weight matrix {@code [outputs][inputs]} with what a store holds, on one thread: keys made again from a tile of
 * tokens, sums brought back from the space they were made in. Weights are read as they are stored; each is read once for a
 * whole tile. Safe for use by several threads with a scratch each.
 */
public final class MatrixProduct {
    private static final int PANEL = Kernels.PANEL;
    /** Weights in flight, numbers: they stay in the second-level cache beside the tile. */
    private static final int FLIGHT = 1 << 15;
    /** Inputs at a time: 32 tokens of them stay in the first-level cache. */
    private static final int CHUNK = 256;

    private final Kernels kernels;
    private final Matrix matrix;
    private final int rowsInFlight;

    /** Products with {@code matrix}. */
    public MatrixProduct(Kernels kernels, Matrix matrix) {
        this.kernels = kernels;
        this.matrix = matrix;
        this.rowsInFlight = Math.max(4, Math.min(matrix.rows(), FLIGHT / matrix.columns()) / 4 * 4);
    }

    /** Numbers that go in. */
    public int inputs() {
        return matrix.columns();
    }

    /** Numbers that come out. */
    public int outputs() {
        return matrix.rows();
    }

    /**
     * {@code out[o][t] = sum over i of matrix[o][i] * panel[i][t]} for the 32 tokens of a panel.
     *
     * @param scratch whose lanes are used
     */
    public void ofPanel(float[] panel, int panelOffset, float[] out, int outOffset, Scratch scratch) {
        int inputs = matrix.columns();
        Arrays.fill(out, outOffset, outOffset + matrix.rows() * PANEL, 0f);
        float[] weights = scratch.lanes(rowsInFlight * inputs);
        for (int row = 0; row < matrix.rows(); row += rowsInFlight) {
            int rows = Math.min(rowsInFlight, matrix.rows() - row);
            RowReader.read(matrix, row, 0, rows * inputs, weights, 0);
            for (int from = 0; from < inputs; from += CHUNK) {
                int depth = Math.min(CHUNK, inputs - from);
                int p = panelOffset + from * PANEL;
                int o = outOffset + row * PANEL;
                kernels.sums(weights, from, inputs, rows, panel, p, PANEL, depth, PANEL, out, o, PANEL);
            }
        }
    }

    /**
     * {@code out[r][o] = sum over i of matrix[from + o][i] * x[r][i]} for {@code rows} rows and {@code count} outputs.
     *
     * @param scratch whose lanes are used
     */
    public void ofRows(
            float[] x, int offset, int rows, int from, int count, float[] out, int outOffset, Scratch scratch) {
        int inputs = matrix.columns();
        float[] weights = scratch.lanes(rowsInFlight * inputs);
        for (int row = 0; row < count; row += rowsInFlight) {
            int read = Math.min(rowsInFlight, count - row);
            RowReader.read(matrix, from + row, 0, read * inputs, weights, 0);
            for (int r = 0; r < rows; r++) {
                for (int o = 0; o < read; o++) {
                    out[outOffset + r * count + row + o] =
                            kernels.dot(x, offset + r * inputs, weights, o * inputs, inputs);
                }
            }
        }
    }
}
