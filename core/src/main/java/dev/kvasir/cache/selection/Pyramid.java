package dev.kvasir.cache.selection;

/**
 * Budgets that fall from layer to layer, in a straight line: lower layers attend widely, upper ones to few tokens (Cai et al.,
 * PyramidKV, arXiv 2406.02069, section 4.2). All layers together have what they would have with equal budgets, to the token.
 *
 * @param beta the last layer has one part in {@code beta} of the average, the first one what that leaves of twice the average
 * @param layer the layer at hand
 * @param layers all of them
 */
public record Pyramid(int beta, int layer, int layers) {
    /** All layers alike. */
    public static final Pyramid FLAT = new Pyramid(1, 0, 1);

    /**
     * Tokens for the layer at hand.
     *
     * @param average tokens of a layer on average
     * @param available tokens there are at most; where they are fewer than twice the average, all layers are alike
     */
    public int of(int average, int available) {
        if (layers == 1 || available < 2L * average) {
            return average;
        }
        int mirrored = layers - 1 - layer;
        // The layers of a pair, one from below and one from above, have twice the average together.
        return layer <= mirrored ? line(average, available, layer) : 2 * average - line(average, available, mirrored);
    }

    private int line(int average, int available, int lower) {
        long most = Math.min(2L * average - average / beta, available);
        long fall = 2 * (most - average) * lower / (layers - 1);
        return (int) (most - fall);
    }
}
