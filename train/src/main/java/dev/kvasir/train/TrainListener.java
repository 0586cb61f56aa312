package dev.kvasir.train;

/** Hears how a run goes. */
public interface TrainListener {
    /**
     * One step is done.
     *
     * @param loss weighted mean negative log-likelihood of the batch, in nats
     * @param tokensPerSecond over the last steps
     * @param secondsLeft estimated from the same
     */
    void onStep(
            long step,
            long steps,
            String stage,
            double loss,
            double learningRate,
            double tokensPerSecond,
            double secondsLeft);

    /** An evaluation is done. */
    void onEvaluation(long step, EvaluationReport report);
}
