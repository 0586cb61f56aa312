package dev.kvasir.cache.method.vidkv;

import dev.kvasir.cache.attention.Head;
import dev.kvasir.cache.store.FlushingKeys;
import dev.kvasir.cache.store.FlushingValues;
import dev.kvasir.cache.store.StoreContents;

/** What the codes of a head stand for, by the definitions of the method: naive transforms, no kernels. */
final class VidContents {
    private VidContents() {}

    /** Keys {@code [size][headDim]}, the exact ones included. */
    static double[][] keys(Head head, int headDim, Spectrum.Kind kind) {
        FlushingKeys keys = (FlushingKeys) head.keys();
        double[][] rows = new double[keys.size()][headDim];
        VidKeys quantized = (VidKeys) keys.packed();
        float[][] codes = quantized
                .abnormal()
                .map(s -> StoreContents.keys(s, s.layout().depth()))
                .orElse(new float[0][]);
        float[][] signs = quantized
                .normal()
                .map(s -> StoreContents.keys(s, s.layout().depth()))
                .orElse(new float[0][]);
        int[] abnormal = quantized.split().abnormal();
        int[] normal = quantized.split().normal();
        for (int t = 0; t < quantized.size(); t++) {
            for (int i = 0; i < abnormal.length; i++) {
                rows[t][abnormal[i]] = codes[t][i];
            }
            if (normal.length > 0) {
                double[] back = inverse(signs[t], normal.length, kind);
                for (int i = 0; i < normal.length; i++) {
                    rows[t][normal[i]] = back[i];
                }
            }
        }
        copy(StoreContents.keys(keys.window(), headDim), rows, quantized.size());
        return rows;
    }

    /** Values {@code [size][headDim]}, protected tokens back in their places. */
    static double[][] values(Head head, int headDim, Positions protect) {
        FlushingValues values = (FlushingValues) head.values();
        double[][] rows = new double[values.size()][headDim];
        VidValues quantized = (VidValues) values.packed();
        float[][] ordinary = StoreContents.values(quantized.ordinary(), headDim);
        float[][] apart = StoreContents.values(quantized.apart(), headDim);
        int o = 0;
        int a = 0;
        for (int t = 0; t < quantized.size(); t++) {
            float[] row = protect.contains(t) ? apart[a++] : ordinary[o++];
            for (int c = 0; c < headDim; c++) {
                rows[t][c] = row[c];
            }
        }
        copy(StoreContents.values(values.window(), headDim), rows, quantized.size());
        return rows;
    }

    private static void copy(float[][] from, double[][] to, int first) {
        for (int t = 0; t < from.length; t++) {
            for (int c = 0; c < from[t].length; c++) {
                to[first + t][c] = from[t][c];
            }
        }
    }

    /** The channels whose spectrum a row is: the sums of the inverse transforms as they are written. */
    static double[] inverse(float[] z, int n, Spectrum.Kind kind) {
        double[] x = new double[n];
        double[] cos = new double[n];
        double[] sin = new double[n];
        for (int i = 0; i < n; i++) {
            cos[i] = Math.cos(2 * Math.PI * i / n);
            sin[i] = Math.sin(2 * Math.PI * i / n);
        }
        for (int c = 0; c < n; c++) {
            x[c] = switch (kind) {
                case PLAIN -> z[c];
                case COMPLEX -> complex(z, n, c, cos, sin);
                case REAL -> real(z, n, c, cos, sin);
            };
        }
        return x;
    }

    private static double complex(float[] z, int n, int c, double[] cos, double[] sin) {
        double sum = 0;
        for (int f = 0; f < n; f++) {
            sum += z[f] * cos[f * c % n] - z[n + f] * sin[f * c % n];
        }
        return sum / Math.sqrt(n);
    }

    /** x_c = (X_0 + 2 sum over 0 &lt; f &lt; n/2 of Re(X_f e^(i angle)) + X_(n/2) cos(pi c)) / sqrt(n), X_f unpacked from the slots. */
    private static double real(float[] z, int n, int c, double[] cos, double[] sin) {
        int reals = n / 2 + 1;
        double sum = z[0];
        for (int f = 1; f < reals; f++) {
            int angle = f * c % n;
            if (2 * f == n) {
                sum += z[f] * cos[angle];
            } else {
                sum += Math.sqrt(2) * (z[f] * cos[angle] - z[reals + f - 1] * sin[angle]);
            }
        }
        return sum / Math.sqrt(n);
    }
}
