package dev.kvasir.lab.accuracy;

import dev.kvasir.lab.metric.Proportion;
import java.util.List;

/**
 * How many answers of one task one cache gets right.
 *
 * @param task name of the {@link Exam}
 * @param answers right answers out of all asked, with the 95 % interval
 * @param samples documents read
 * @param turns right answers of each turn, the first one first; empty unless asked in {@linkplain Way#TURNS turns}
 */
public record TaskResult(String task, String cache, Proportion answers, int samples, List<Proportion> turns) {
    /** The task's own name, without the way it was asked. */
    public String taskName() {
        return Exam.taskName(task);
    }
}
