/**
 * The generated tasks: seeded, streaming documents of any length in tokens whose answers are marked. They are training
 * corpus and evaluation at once, with disjoint splits. {@link dev.kvasir.lab.task.Tasks} lists them and
 * {@link dev.kvasir.lab.task.Prose} writes the plain text between; this package uses only the errors of core.
 */
@NullMarked
package dev.kvasir.lab.task;

import org.jspecify.annotations.NullMarked;
