package dev.kvasir.cache.importance;

/**
 * How many rows could have seen a column: what a sum of weights is divided by, so that early columns, which more rows see,
 * are not favoured (ZipCache, arXiv 2405.14256, section 4.2).
 */
public enum Visibility {
    /** The rows asked that stand at the column or after it. */
    PROBES,
    /** All rows at the column or after it, asked or not, as ZipCache's released code counts. */
    REMAINING;

    /**
     * The normalized score of a column.
     *
     * @param probes rows asked that see it
     * @param remaining rows that see it
     */
    public float normalize(float sum, int probes, int remaining) {
        int seen = this == PROBES ? probes : remaining;
        return seen == 0 ? 0 : sum / seen;
    }
}
