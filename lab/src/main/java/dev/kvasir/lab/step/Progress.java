package dev.kvasir.lab.step;

/** Is told how far a measurement is; called often, from the measuring thread. */
@FunctionalInterface
public interface Progress {
    /**
     * One report.
     *
     * @param phase what is being done, e.g. {@code perplexity}
     * @param unit what is counted, e.g. {@code tokens}
     * @param done units done, from 0 to {@code total}
     * @param perSecond units a second since the phase began; 0 before anything is done
     */
    void update(String phase, String unit, long done, long total, double perSecond);

    /** Tells nobody. */
    static Progress none() {
        return (phase, unit, done, total, perSecond) -> {};
    }
}
