package dev.kvasir.cache.kernel;

/** The butterflies as their definition: half the distance at a time, smallest first. */
public final class ScalarButterflies implements Butterflies {
    @Override
    public void runs(float[] x, int offset, int count, int block, float factor) {
        for (int i = offset; i < offset + count; i++) {
            x[i] *= factor;
        }
        for (int start = offset; start < offset + count; start += block) {
            columns(x, start, block, 1, 1);
        }
    }

    @Override
    public void columns(float[] x, int offset, int rows, int stride, int lanes) {
        for (int half = 1; half < rows; half *= 2) {
            for (int i = 0; i < rows; i += 2 * half) {
                for (int j = i; j < i + half; j++) {
                    int a = offset + j * stride;
                    pair(x, a, a + half * stride, lanes);
                }
            }
        }
    }

    static void pair(float[] x, int a, int b, int lanes) {
        for (int lane = 0; lane < lanes; lane++) {
            float low = x[a + lane];
            float high = x[b + lane];
            x[a + lane] = low + high;
            x[b + lane] = low - high;
        }
    }
}
