package dev.kvasir.cache.transform;

/**
 * Each channel by a factor of its own: stored {@code x b}, queries {@code q / b}, sums of stored rows {@code / b}. Levels
 * channels out before they are quantized together.
 *
 * <p>Sources: the balancer of MiKV (arXiv 2402.18096, section 3.3), SmoothAttention of QServe (arXiv 2405.04532, section
 * 4.2).
 */
public final class ChannelScale implements Transform {
    private final float[] scale;
    private final float[] inverse;

    /**
     * The factor of each channel.
     *
     * @throws IllegalArgumentException if a factor or its inverse is zero, infinite or not a number
     */
    public ChannelScale(float[] scale) {
        this.scale = scale.clone();
        this.inverse = new float[scale.length];
        for (int c = 0; c < scale.length; c++) {
            inverse[c] = 1 / scale[c];
            if (!Float.isFinite(scale[c]) || !Float.isFinite(inverse[c]) || inverse[c] == 0) {
                throw new IllegalArgumentException("channel " + c + " is scaled by " + scale[c]);
            }
        }
    }

    @Override
    public boolean isNone() {
        return false;
    }

    @Override
    public int width() {
        return scale.length;
    }

    @Override
    public void apply(float[] x, int offset, int rows) {
        multiply(x, offset, rows, scale);
    }

    @Override
    public void applyToQueries(float[] x, int offset, int rows) {
        multiply(x, offset, rows, inverse);
    }

    @Override
    public void invert(float[] x, int offset, int rows) {
        multiply(x, offset, rows, inverse);
    }

    private static void multiply(float[] x, int offset, int rows, float[] factors) {
        for (int row = 0; row < rows; row++) {
            int at = offset + row * factors.length;
            for (int c = 0; c < factors.length; c++) {
                x[at + c] *= factors[c];
            }
        }
    }
}
