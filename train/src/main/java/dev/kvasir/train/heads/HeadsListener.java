package dev.kvasir.train.heads;

import java.util.Map;

/** Hears how a training of heads goes. */
public interface HeadsListener {
    /**
     * One step is done.
     *
     * @param loss of the step's prompt, on labels of spread 1
     * @param perSecond steps, since the run began
     */
    void onStep(long step, long steps, double loss, double perSecond, double secondsLeft);

    /**
     * The heads were asked about texts that no step sees.
     *
     * @param overlap at 10 %, by task
     */
    void onEvaluation(long step, Map<String, Double> overlap);
}
