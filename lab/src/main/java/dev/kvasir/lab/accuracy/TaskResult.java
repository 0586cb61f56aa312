package dev.kvasir.lab.accuracy;

import dev.kvasir.lab.metric.Proportion;

/**
 * How many answers of one task one cache gets right.
 *
 * @param answers right answers out of all asked, with the 95 % interval
 * @param samples documents read
 */
public record TaskResult(String task, String cache, Proportion answers, int samples) {}
