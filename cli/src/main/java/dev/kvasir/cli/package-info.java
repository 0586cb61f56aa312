/**
 * The {@code kvasir} command: start, streams, errors as one line and an exit code.
 *
 * <p>The commands are in {@code command}, the options they share in {@code option}. Nothing here computes: commands ask
 * {@code core}, {@code lab} and {@code train} and print what they answer.
 */
@NullMarked
package dev.kvasir.cli;

import org.jspecify.annotations.NullMarked;
