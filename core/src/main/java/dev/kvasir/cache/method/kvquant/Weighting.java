package dev.kvasir.cache.method.kvquant;

/** What each number of the calibration text counts when levels are fitted. */
enum Weighting {
    /** Its Fisher information: the paper's. */
    FISHER,
    /** Its Fisher information times the square of its vector's range: the loss in the original scale. */
    FISHER_RANGE,
    /** One: plain k-means. */
    NONE;

    /** The name in specs and calibrations. */
    String text() {
        return switch (this) {
            case FISHER -> "fisher";
            case FISHER_RANGE -> "fisher_range";
            case NONE -> "none";
        };
    }
}
