package dev.kvasir.cache.method.vidkv;

import dev.kvasir.cache.kernel.Kernels;
import dev.kvasir.cache.transform.RealDft;
import java.util.Arrays;

/**
 * The basis that normal channels are stored in: {@code T} is {@code [columns][channels]} with {@code T^t T = 1}, so {@code <T q,
 * T k> = <q, k>}.
 *
 * <p>The packed real DFT has as many columns as channels. The whole complex spectrum, Re X_0 .. Re X_(n-1) | Im X_0 .. Im
 * X_(n-1), has twice as many, half of them conjugates that say nothing new.
 */
final class Spectrum {
    /** What normal channels become. */
    enum Kind {
        PLAIN,
        REAL,
        COMPLEX
    }

    private final Kernels kernels;
    private final Kind kind;
    private final int channels;
    private final int columns;
    /** {@code [columns][channels]}; none for PLAIN. */
    private final float[] matrix;
    /** {@code [channels][columns]}. */
    private final float[] transposed;

    Spectrum(Kernels kernels, Kind kind, int channels) {
        this.kernels = kernels;
        this.kind = kind;
        this.channels = channels;
        this.columns = columns(kind, channels);
        matrix = channels == 0
                ? new float[0]
                : switch (kind) {
                    case PLAIN -> new float[0];
                    case REAL -> real(channels);
                    case COMPLEX -> complex(channels);
                };
        transposed = new float[matrix.length];
        for (int i = 0; i < matrix.length; i++) {
            transposed[i % channels * columns + i / channels] = matrix[i];
        }
    }

    static int columns(Kind kind, int channels) {
        return kind == Kind.COMPLEX ? 2 * channels : channels;
    }

    int columns() {
        return columns;
    }

    private static float[] real(int n) {
        float[] matrix = new float[n * n];
        RealDft transform = new RealDft(n);
        float[] unit = new float[n];
        for (int c = 0; c < n; c++) {
            Arrays.fill(unit, 0f);
            unit[c] = 1;
            transform.apply(unit, 0, 1);
            for (int slot = 0; slot < n; slot++) {
                matrix[slot * n + c] = unit[slot];
            }
        }
        return matrix;
    }

    private static float[] complex(int n) {
        float[] matrix = new float[2 * n * n];
        for (int f = 0; f < n; f++) {
            for (int c = 0; c < n; c++) {
                double angle = 2 * Math.PI * ((long) f * c % n) / n;
                matrix[f * n + c] = (float) (StrictMath.cos(angle) / Math.sqrt(n));
                matrix[(n + f) * n + c] = (float) (-StrictMath.sin(angle) / Math.sqrt(n));
            }
        }
        return matrix;
    }

    /** One row of channels into the basis. */
    void row(float[] in, int offset, float[] out, int outOffset) {
        if (kind == Kind.PLAIN) {
            System.arraycopy(in, offset, out, outOffset, channels);
            return;
        }
        Arrays.fill(out, outOffset, outOffset + columns, 0f);
        kernels.sums(in, offset, channels, 1, transposed, 0, columns, channels, columns, out, outOffset, columns);
    }

    /** {@code [channels][tokens]} into the basis, {@code [columns][tokens]}. */
    void tokens(float[] in, int offset, int tokens, float[] out, int outOffset) {
        multiply(matrix, channels, columns, in, offset, tokens, out, outOffset);
    }

    /** Back from the basis: {@code [columns][tokens]} to {@code [channels][tokens]}. */
    void back(float[] in, int offset, int tokens, float[] out, int outOffset) {
        multiply(transposed, columns, channels, in, offset, tokens, out, outOffset);
    }

    private void multiply(
            float[] factor, int depth, int rows, float[] in, int offset, int tokens, float[] out, int outOffset) {
        if (kind == Kind.PLAIN) {
            System.arraycopy(in, offset, out, outOffset, channels * tokens);
            return;
        }
        Arrays.fill(out, outOffset, outOffset + rows * tokens, 0f);
        kernels.sums(factor, 0, depth, rows, in, offset, tokens, depth, tokens, out, outOffset, tokens);
    }
}
