/**
 * Perplexity, KL divergence and top-1 agreement over a text whose tokens are read from the cache; see {@link
 * dev.kvasir.lab.perplexity.PerplexityRun} for the exact definition.
 */
@NullMarked
package dev.kvasir.lab.perplexity;

import org.jspecify.annotations.NullMarked;
