package dev.kvasir.cache.method.xquant;

import dev.kvasir.cache.CacheModel;
import dev.kvasir.cache.CacheShape;
import dev.kvasir.tensor.Matrix;
import dev.kvasir.tensor.RowReader;

/** The method's formulas in plain loops and doubles, a token a row. */
final class XQuantReference {
    private XQuantReference() {}

    /** Rows of a matrix. */
    static double[][] rows(Matrix matrix) {
        double[][] rows = new double[matrix.rows()][matrix.columns()];
        float[] row = new float[matrix.columns()];
        for (int r = 0; r < rows.length; r++) {
            RowReader.read(matrix, r, 0, row.length, row, 0);
            for (int c = 0; c < row.length; c++) {
                rows[r][c] = row[c];
            }
        }
        return rows;
    }

    /** {@code count} rows of an array. */
    static double[][] rows(float[] array, int count, int width) {
        double[][] rows = new double[count][width];
        for (int i = 0; i < count * width; i++) {
            rows[i / width][i % width] = array[i];
        }
        return rows;
    }

    /** {@code a b^t}. */
    static double[][] times(double[][] a, double[][] b) {
        double[][] out = new double[a.length][b.length];
        for (int i = 0; i < a.length; i++) {
            for (int j = 0; j < b.length; j++) {
                for (int k = 0; k < b[j].length; k++) {
                    out[i][j] += a[i][k] * b[j][k];
                }
            }
        }
        return out;
    }

    static double[][] transposed(double[][] a) {
        double[][] out = new double[a.length == 0 ? 0 : a[0].length][a.length];
        for (int i = 0; i < a.length; i++) {
            for (int j = 0; j < a[i].length; j++) {
                out[j][i] = a[i][j];
            }
        }
        return out;
    }

    /** What rows stand for once quantized in groups of neighbours. */
    static double[][] quantized(double[][] rows, int bits, int group) {
        double[][] out = new double[rows.length][];
        for (int t = 0; t < rows.length; t++) {
            out[t] = rows[t].clone();
            for (int from = 0; from < out[t].length; from += group) {
                quantize(out[t], from, from + group, bits);
            }
        }
        return out;
    }

    private static void quantize(double[] row, int from, int to, int bits) {
        double least = Double.POSITIVE_INFINITY;
        double most = Double.NEGATIVE_INFINITY;
        for (int i = from; i < to; i++) {
            least = Math.min(least, row[i]);
            most = Math.max(most, row[i]);
        }
        int top = (1 << bits) - 1;
        double scale = half(((float) most - (float) least) / top);
        double zero = half((float) least);
        for (int i = from; i < to; i++) {
            double code = scale == 0 ? 0 : Math.clamp(Math.rint((row[i] - zero) / scale), 0, top);
            row[i] = scale * code + zero;
        }
    }

    static double half(double x) {
        return Float.float16ToFloat(Float.floatToFloat16((float) x));
    }

    /** Latents with the scales of their channels over whole groups of tokens, the others as F16. */
    static double[][] quantizedByChannel(double[][] rows, int bits, int group) {
        int full = rows.length / group * group;
        double[][] out = new double[rows.length][];
        for (int t = 0; t < rows.length; t++) {
            out[t] = rows[t].clone();
            for (int c = 0; c < out[t].length; c++) {
                out[t][c] = half(out[t][c]);
            }
        }
        if (full > 0) {
            double[][] columns = transposed(java.util.Arrays.copyOf(out, full));
            double[][] back = transposed(quantized(columns, bits, group));
            System.arraycopy(back, 0, out, 0, full);
        }
        return out;
    }

    /** Turns keys by their positions, {@code first} on. */
    static double[][] rotated(CacheModel model, double[][] keys, int first) {
        int headDim = model.shape().headDim();
        int half = headDim / 2;
        double[][] out = new double[keys.length][];
        for (int t = 0; t < keys.length; t++) {
            out[t] = keys[t].clone();
            for (int at = 0; at < out[t].length; at += headDim) {
                for (int i = 0; i < half; i++) {
                    double angle = (first + t) * Math.pow(10_000, -(double) i / half);
                    double a = keys[t][at + i];
                    double b = keys[t][at + half + i];
                    out[t][at + i] = a * Math.cos(angle) - b * Math.sin(angle);
                    out[t][at + half + i] = b * Math.cos(angle) + a * Math.sin(angle);
                }
            }
        }
        return out;
    }

    /**
     * Outputs of the last {@code count} of the tokens that keys and values are of.
     *
     * @param queries {@code [count][heads * headDim]}, after RoPE
     */
    static float[] attend(CacheShape shape, double[][] queries, double[][] keys, double[][] values, int count) {
        int d = shape.headDim();
        float[] out = new float[count * shape.heads() * d];
        for (int t = 0; t < count; t++) {
            int seen = keys.length - count + t + 1;
            for (int head = 0; head < shape.heads(); head++) {
                int kv = head / shape.queriesPerKvHead() * d;
                double[] weights = new double[seen];
                double sum = 0;
                for (int i = 0; i < seen; i++) {
                    double score = 0;
                    for (int c = 0; c < d; c++) {
                        score += queries[t][head * d + c] * keys[i][kv + c];
                    }
                    weights[i] = Math.exp(score / Math.sqrt(d));
                    sum += weights[i];
                }
                for (int c = 0; c < d; c++) {
                    double value = 0;
                    for (int i = 0; i < seen; i++) {
                        value += weights[i] * values[i][kv + c];
                    }
                    out[(t * shape.heads() + head) * d + c] = (float) (value / sum);
                }
            }
        }
        return out;
    }

    /** Rows of {@code a}, then rows of {@code b}. */
    static double[][] joined(double[][] a, double[][] b) {
        double[][] out = java.util.Arrays.copyOf(a, a.length + b.length);
        System.arraycopy(b, 0, out, a.length, b.length);
        return out;
    }

    static double squared(double[][] a, double[][] b) {
        double sum = 0;
        for (int i = 0; i < a.length; i++) {
            for (int j = 0; j < a[i].length; j++) {
                sum += (a[i][j] - b[i][j]) * (a[i][j] - b[i][j]);
            }
        }
        return sum;
    }
}
