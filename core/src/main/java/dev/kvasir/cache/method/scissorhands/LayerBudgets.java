package dev.kvasir.cache.method.scissorhands;

import java.util.Arrays;

/** Budgets of layers whose mean is given: later layers remember worse what will matter, and get more. */
final class LayerBudgets {
    /** Persistence above which a layer's share no longer falls. */
    private static final double LEAST = 1e-3;

    private LayerBudgets() {}

    /** The same for all. */
    static int[] uniform(int mean, int layers) {
        int[] budgets = new int[layers];
        Arrays.fill(budgets, mean);
        return budgets;
    }

    /** From {@code mean * (1 - slope)} in the first layer to {@code mean * (1 + slope)} in the last. */
    static int[] ramp(int mean, int layers, double slope) {
        int[] budgets = new int[layers];
        for (int l = 0; l < layers; l++) {
            double at = layers == 1 ? 0 : 2.0 * l / (layers - 1) - 1;
            budgets[l] = (int) Math.round(mean * (1 + slope * at));
        }
        return budgets;
    }

    /** Half uniform, half in proportion to how much {@code persistence} lacks to 1; from half the mean to one and a half. */
    static int[] persistence(int mean, float[] persistence) {
        double sum = 0;
        for (float p : persistence) {
            sum += Math.max(LEAST, 1 - p);
        }
        int[] budgets = new int[persistence.length];
        for (int l = 0; l < budgets.length; l++) {
            double share = Math.max(LEAST, 1 - persistence[l]) / sum * persistence.length;
            budgets[l] = (int) Math.round(Math.clamp(mean * (0.5 + 0.5 * share), 0.5 * mean, 1.5 * mean));
        }
        return budgets;
    }
}
