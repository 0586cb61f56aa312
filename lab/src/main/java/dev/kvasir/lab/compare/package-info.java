/**
 * The main job: one model, one text, the same tasks, several caches, one row each.
 *
 * <p>Puts together {@code perplexity}, {@code accuracy} and {@code bench}; {@code report} shows what comes out.
 */
@NullMarked
package dev.kvasir.lab.compare;

import org.jspecify.annotations.NullMarked;
