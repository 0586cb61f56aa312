package dev.kvasir.train.tokenizer;

/** Hears how far a training has come. */
@FunctionalInterface
public interface Progress {
    /** {@code done} of {@code total} steps of the work that {@code message} names are finished. */
    void report(long done, long total, String message);

    /** Hears nothing. */
    static Progress silent() {
        return (done, total, message) -> {};
    }
}
