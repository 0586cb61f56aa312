package dev.kvasir.cache.method.cskv;

/** AdamW's step without weight decay: betas 0.9 and 0.999, epsilon 1e-8 (Loshchilov and Hutter, ICLR 2019, arXiv 1711.05101). */
final class Adam {
    private static final float BETA_1 = 0.9f;
    private static final float BETA_2 = 0.999f;
    private static final double EPSILON = 1e-8;

    private final float[] mean;
    private final float[] square;
    private int steps;

    /** For that many parameters. */
    Adam(int size) {
        mean = new float[size];
        square = new float[size];
    }

    /** Moves {@code parameters} against their gradient. */
    void step(float[] parameters, float[] gradient, double rate) {
        steps++;
        double correction = Math.sqrt(1 - Math.pow(BETA_2, steps));
        float size = (float) (rate * correction / (1 - Math.pow(BETA_1, steps)));
        float epsilon = (float) (EPSILON * correction);
        for (int i = 0; i < parameters.length; i++) {
            float g = gradient[i];
            mean[i] = BETA_1 * mean[i] + (1 - BETA_1) * g;
            square[i] = BETA_2 * square[i] + (1 - BETA_2) * g * g;
            parameters[i] -= size * mean[i] / ((float) Math.sqrt(square[i]) + epsilon);
        }
    }
}
