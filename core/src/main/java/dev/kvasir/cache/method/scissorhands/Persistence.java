package dev.kvasir.cache.method.scissorhands;

/**
 * How well attention of a text's first half foretells that of its second (arXiv 2305.17118, section 3.2). A token is pivotal
 * for a row if its weight is above the average; what is measured is how many of the first half's tokens that are pivotal in
 * the second half were so in the first.
 *
 * @param persistence that share, from 0 to 1; 1 if no token of the first half is pivotal in the second
 * @param size share of the first half's tokens that are pivotal in the first half: what chance would give
 */
record Persistence(double persistence, double size) {
    /**
     * Of one head.
     *
     * @param tokens of the text, at least 2
     */
    static Persistence of(int tokens, Scores scores) {
        int half = tokens / 2;
        boolean[] before = new boolean[half];
        boolean[] after = new boolean[half];
        float[] row = new float[tokens];
        for (int t = 0; t < tokens; t++) {
            scores.row(t, row);
            float average = average(row, t + 1);
            boolean[] pivotal = t < half ? before : after;
            for (int i = 0; i < Math.min(half, t + 1); i++) {
                pivotal[i] |= row[i] > average;
            }
        }
        int found = 0;
        int both = 0;
        int first = 0;
        for (int i = 0; i < half; i++) {
            first += before[i] ? 1 : 0;
            found += after[i] ? 1 : 0;
            both += before[i] && after[i] ? 1 : 0;
        }
        return new Persistence(found == 0 ? 1 : both / (double) found, first / (double) half);
    }

    /** The scores of a row of causal attention. */
    interface Scores {
        /** Writes the scores of token {@code t} to tokens 0 to {@code t}. */
        void row(int t, float[] out);
    }

    /** The score whose weight is {@code 1 / count}. */
    private static float average(float[] row, int count) {
        double most = Double.NEGATIVE_INFINITY;
        for (int i = 0; i < count; i++) {
            most = Math.max(most, row[i]);
        }
        double sum = 0;
        for (int i = 0; i < count; i++) {
            sum += Math.exp(row[i] - most);
        }
        return (float) (most + Math.log(sum) - Math.log(count));
    }
}
