package dev.kvasir.train.heads;

/** AdamW (Loshchilov and Hutter 2019) over one array, with every gradient clipped by itself. */
final class AdamW {
    private static final double BETA1 = 0.9;
    private static final double BETA2 = 0.95;
    private static final double EPSILON = 1e-8;
    private static final double DECAY = 0.01;
    private static final float CLIP = 0.5f;

    private final float[] parameters;
    private final float[] first;
    private final float[] second;

    /** Goes on with these moments, which are kept and changed as the parameters are. */
    AdamW(float[] parameters, float[] first, float[] second) {
        this.parameters = parameters;
        this.first = first;
        this.second = second;
    }

    /**
     * One step against {@code gradient}.
     *
     * @param step counts from 1
     */
    void step(float[] gradient, double rate, long step) {
        float unbias1 = (float) (1 / (1 - Math.pow(BETA1, (double) step)));
        float unbias2 = (float) (1 / (1 - Math.pow(BETA2, (double) step)));
        float keep = (float) (1 - rate * DECAY);
        for (int i = 0; i < parameters.length; i++) {
            float g = Math.clamp(gradient[i], -CLIP, CLIP);
            first[i] = (float) (BETA1 * first[i] + (1 - BETA1) * g);
            second[i] = (float) (BETA2 * second[i] + (1 - BETA2) * g * g);
            double move = rate * first[i] * unbias1 / (Math.sqrt(second[i] * unbias2) + EPSILON);
            parameters[i] = (float) (parameters[i] * keep - move);
        }
    }
}
