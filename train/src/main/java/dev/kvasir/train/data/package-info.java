/**
 * What the trainer reads: rows of token ids with a weight for each, drawn from tasks, books and random copies. Every row is
 * a pure function of its source and number, so a run resumes where it stopped without remembering anything.
 */
@NullMarked
package dev.kvasir.train.data;

import org.jspecify.annotations.NullMarked;
