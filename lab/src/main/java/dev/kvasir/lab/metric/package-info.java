/**
 * Numbers about numbers: divergence of two sets of logits, intervals of proportions, spreads of repeated timings, peak
 * memory of the process. Knows nothing of models or caches.
 */
@NullMarked
package dev.kvasir.lab.metric;

import org.jspecify.annotations.NullMarked;
