package dev.kvasir.cache.method.cskv;

import dev.kvasir.cache.Calibration;
import dev.kvasir.cache.store.Panels;

/**
 * A projection in two factors, {@code W[inputs][outputs] ~ A B}: the latent of an input {@code x} is {@code x A}, what it
 * stands for is {@code x A B}. Joint over all KV heads.
 *
 * @param inputs width of the layer's input
 * @param rank width of the latent
 * @param outputs {@code kvHeads * headDim}
 * @param a {@code [inputs][rank]}
 * @param b {@code [rank][outputs]}
 */
record Factors(int inputs, int rank, int outputs, float[] a, float[] b) {
    Factors {
        if (a.length != inputs * rank || b.length != rank * outputs) {
            throw new IllegalArgumentException("factors of [" + inputs + "][" + rank + "][" + outputs + "]: " + a.length
                    + " and " + b.length + " numbers");
        }
    }

    /** The factors stored under {@code name}. */
    static Factors read(Calibration calibration, String name, int inputs, int rank, int outputs) {
        return new Factors(
                inputs,
                rank,
                outputs,
                calibration.data(name + ".a", inputs, rank),
                calibration.data(name + ".b", rank, outputs));
    }

    /** {@code B} as {@code [outputs][rank]}. */
    float[] rows() {
        float[] rows = new float[outputs * rank];
        Panels.transpose(b, 0, outputs, rank, outputs, rows, rank);
        return rows;
    }

    /** A copy of its own. */
    Factors copy() {
        return new Factors(inputs, rank, outputs, a.clone(), b.clone());
    }

    /** Bytes of both in F32. */
    long bytes() {
        return 4L * (a.length + b.length);
    }
}
