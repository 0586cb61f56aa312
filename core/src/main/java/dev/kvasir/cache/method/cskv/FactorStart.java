package dev.kvasir.cache.method.cskv;

import dev.kvasir.cache.correction.Svd;

/** Factors before training, in closed form and float64. */
final class FactorStart {
    /** Singular values below this share of the largest are rounding. */
    private static final double NOTHING = 1e-12;

    private FactorStart() {}

    /**
     * {@code A = S^-1 U_r Sg_r^1/2, B = Sg_r^1/2 V_r^t} with {@code U Sg V^t = SVD(S W)}, {@code S = diag(scales)} (ASVD, arXiv
     * 2312.05821; with {@code S = I} the best approximation of {@code W} itself, Eckart and Young 1936).
     *
     * @param w {@code [inputs][outputs]}
     * @param scales {@code [inputs]}, positive
     */
    static Factors svd(float[] w, int inputs, int outputs, int rank, double[] scales) {
        double[] scaled = new double[inputs * outputs];
        for (int i = 0; i < scaled.length; i++) {
            scaled[i] = w[i] * scales[i / outputs];
        }
        Svd svd = Svd.of(scaled, inputs, outputs);
        float[] a = new float[inputs * rank];
        float[] b = new float[rank * outputs];
        for (int k = 0; k < Math.min(rank, svd.rank()); k++) {
            double root = svd.s()[k] > svd.s()[0] * NOTHING ? Math.sqrt(svd.s()[k]) : 0;
            for (int i = 0; i < inputs; i++) {
                a[i * rank + k] = (float) (svd.u()[k * inputs + i] * root / scales[i]);
            }
            for (int j = 0; j < outputs; j++) {
                b[k * outputs + j] = (float) (svd.v()[k * outputs + j] * root);
            }
        }
        return new Factors(inputs, rank, outputs, a, b);
    }

    /**
     * The optimum on given data: {@code A = W V_r, B = V_r^t}, {@code V} the eigenvectors of {@code (X W)^t (X W)}. No factors
     * of that rank have a lower mean squared error on it.
     *
     * @param principal of that product, {@code [outputs][outputs]}
     */
    static Factors pca(float[] w, int inputs, int outputs, int rank, Svd principal) {
        float[] a = new float[inputs * rank];
        float[] b = new float[rank * outputs];
        for (int k = 0; k < Math.min(rank, outputs); k++) {
            for (int i = 0; i < inputs; i++) {
                double sum = 0;
                for (int j = 0; j < outputs; j++) {
                    sum += w[i * outputs + j] * principal.v()[k * outputs + j];
                }
                a[i * rank + k] = (float) sum;
            }
            for (int j = 0; j < outputs; j++) {
                b[k * outputs + j] = (float) principal.v()[k * outputs + j];
            }
        }
        return new Factors(inputs, rank, outputs, a, b);
    }

    /** The mean squared error of {@link #pca} over {@code tokens} tokens: what its eigenvalues beyond the rank leave. */
    static double bound(Svd principal, int rank, long tokens) {
        double rest = 0;
        for (int k = rank; k < principal.rank(); k++) {
            rest += principal.s()[k];
        }
        return rest / (tokens * (double) principal.columns());
    }
}
