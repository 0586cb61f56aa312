package dev.kvasir.cache.method.kvquant;

/** What decides which numbers are outliers. */
enum Thresholds {
    /** Nothing: there are none. */
    NONE,
    /** Thresholds for each vector: a channel, or a token. */
    VECTOR,
    /** One pair of thresholds for all numbers of a layer. */
    GLOBAL;

    /** The name in specs and calibrations. */
    String text() {
        return switch (this) {
            case NONE -> "none";
            case VECTOR -> "vector";
            case GLOBAL -> "global";
        };
    }
}
