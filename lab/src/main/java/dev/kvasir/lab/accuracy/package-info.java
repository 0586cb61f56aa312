/**
 * How many answers of a generated task a model gets right through a cache.
 *
 * <p>The tasks themselves are in {@code lab.task}; {@link dev.kvasir.lab.accuracy.Exam} names a task and the way it is
 * asked.
 */
@NullMarked
package dev.kvasir.lab.accuracy;

import org.jspecify.annotations.NullMarked;
