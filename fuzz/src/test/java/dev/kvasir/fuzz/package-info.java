/**
 * One fuzz test for each reader of files, and what writes their seeds. The tests use the product's public doors only; where a
 * checksum or a length would stop every mutation at once, the test mends it first.
 *
 * <p>Start at {@link dev.kvasir.fuzz.Hostile}, which says what counts as a finding.
 */
@NullMarked
package dev.kvasir.fuzz;

import org.jspecify.annotations.NullMarked;
