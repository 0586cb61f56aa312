/**
 * One class per command. Each reads its options, opens what it needs ({@link dev.kvasir.cli.command.Session}), calls
 * {@code core} or {@code lab}, and prints.
 *
 * <p>A new command is one class here and one line in {@link dev.kvasir.cli.Main}.
 */
@NullMarked
package dev.kvasir.cli.command;

import org.jspecify.annotations.NullMarked;
