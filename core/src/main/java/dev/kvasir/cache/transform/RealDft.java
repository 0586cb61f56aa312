package dev.kvasir.cache.transform;

/**
 * The orthonormal discrete Fourier transform of real rows of any width {@code n}, packed into {@code n} real numbers:
 *
 * <pre>
 *   Re X_0 | sqrt2 Re X_1 | ... | Re X_{n/2} | sqrt2 Im X_1 | ...     all / sqrt(n)
 * </pre>
 *
 * {@code Re X_{n/2}} is there for even {@code n} only. By its matrix: at the widths of heads that is as fast as anything.
 *
 * <p>Source: VidKV, arXiv 2503.16257, which keeps the whole complex spectrum; its half is redundant.
 */
public final class RealDft implements Orthonormal {
    private final Dense dense;

    /** The transform of rows of {@code width} channels, at least one. */
    public RealDft(int width) {
        if (width < 1) {
            throw new IllegalArgumentException("a Fourier transform of " + width + " channels");
        }
        dense = new Dense(matrix(width));
    }

    private static float[] matrix(int n) {
        float[] matrix = new float[n * n];
        int reals = n / 2 + 1;
        for (int slot = 0; slot < n; slot++) {
            int f = slot < reals ? slot : slot - reals + 1;
            boolean alone = f == 0 || 2 * f == n;
            double norm = Math.sqrt((alone ? 1.0 : 2.0) / n);
            for (int c = 0; c < n; c++) {
                // StrictMath: the same bits on every machine, since codes are stored in this basis.
                double angle = 2 * Math.PI * ((long) f * c % n) / n;
                double value = slot < reals ? StrictMath.cos(angle) : -StrictMath.sin(angle);
                matrix[slot * n + c] = (float) (norm * value);
            }
        }
        return matrix;
    }

    @Override
    public boolean isNone() {
        return false;
    }

    @Override
    public int width() {
        return dense.width();
    }

    @Override
    public void apply(float[] x, int offset, int rows) {
        dense.apply(x, offset, rows);
    }

    @Override
    public void invert(float[] x, int offset, int rows) {
        dense.invert(x, offset, rows);
    }
}
