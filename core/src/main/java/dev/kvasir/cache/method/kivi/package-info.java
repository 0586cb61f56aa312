/** KIVI (arXiv 2402.02750): keys quantized per channel, values per token, the newest tokens exact. Arranges parts of {@code cache.store}; knows no other method. */
@NullMarked
package dev.kvasir.cache.method.kivi;

import org.jspecify.annotations.NullMarked;
