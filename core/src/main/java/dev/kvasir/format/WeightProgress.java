package dev.kvasir.format;

/** Is told how many bytes of a model's new weights are made; called from the thread that asked for them. */
@FunctionalInterface
public interface WeightProgress {
    /** {@code done} of {@code total} bytes are made. */
    void update(long done, long total);

    /** Tells nobody. */
    static WeightProgress none() {
        return (done, total) -> {};
    }
}
