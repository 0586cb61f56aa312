package dev.kvasir.cache.method.a2ats;

/**
 * The metric that queries measure keys in: {@code E[(q.d)^2] = d M d'} with {@code M = E[q'q]}, and with {@code M = L L'} the
 * square length of {@code d L} (arXiv 2502.12665; row vectors). Doubles throughout.
 *
 * @param lower {@code L}, {@code [dimensions][dimensions]}, zero above the diagonal
 */
record QueryMetric(double[][] lower) {
    /** What is added to the diagonal of the metric, whose entries' root mean square is 1. */
    private static final double RIDGE = 1e-6;

    /** The metric in which all directions are alike. */
    static QueryMetric plain(int dimensions) {
        double[][] lower = new double[dimensions][dimensions];
        for (int i = 0; i < dimensions; i++) {
            lower[i][i] = 1;
        }
        return new QueryMetric(lower);
    }

    /**
     * The metric of queries whose sum of {@code q'q} is {@code moments}, scaled so that its entries' root mean square is 1.
     *
     * @param moments {@code [dimensions][dimensions]}, of which the lower triangle is read
     */
    static QueryMetric of(double[][] moments) {
        int n = moments.length;
        double squares = 0;
        for (int i = 0; i < n; i++) {
            for (int j = 0; j <= i; j++) {
                squares += (i == j ? 1 : 2) * moments[i][j] * moments[i][j];
            }
        }
        double scale = squares > 0 ? n / Math.sqrt(squares) : 0;
        double[][] lower = new double[n][n];
        for (int i = 0; i < n; i++) {
            for (int j = 0; j <= i; j++) {
                double sum = moments[i][j] * scale + (i == j ? RIDGE : 0);
                for (int k = 0; k < j; k++) {
                    sum -= lower[i][k] * lower[j][k];
                }
                // What rounding leaves below 0 is the ridge's.
                lower[i][j] = i == j ? Math.sqrt(Math.max(sum, RIDGE * RIDGE)) : sum / lower[j][j];
            }
        }
        return new QueryMetric(lower);
    }

    int dimensions() {
        return lower.length;
    }

    /** {@code out = key L}. */
    void apply(float[] key, int offset, float[] out, int outOffset) {
        int n = dimensions();
        for (int j = 0; j < n; j++) {
            double sum = 0;
            for (int i = j; i < n; i++) {
                sum += key[offset + i] * lower[i][j];
            }
            out[outOffset + j] = (float) sum;
        }
    }

    /** The key of which {@link #apply} makes {@code z}. */
    double[] invert(float[] z, int offset) {
        int n = dimensions();
        double[] key = new double[n];
        for (int j = n - 1; j >= 0; j--) {
            double sum = z[offset + j];
            for (int i = j + 1; i < n; i++) {
                sum -= key[i] * lower[i][j];
            }
            key[j] = sum / lower[j][j];
        }
        return key;
    }
}
