/**
 * GEAR (arXiv 2403.05527): a quantized cache plus a low-rank and a sparse correction of the quantization error. Compresses
 * chunks of tokens of all heads of a layer together; arranges parts of {@code cache.store} and {@code cache.correction};
 * knows no other method.
 */
@NullMarked
package dev.kvasir.cache.method.gear;

import org.jspecify.annotations.NullMarked;
