/** Block floating point (arXiv 2403.20137): short mantissas that share an exponent. Arranges parts of {@code cache.store}; knows no other method. */
@NullMarked
package dev.kvasir.cache.method.bfp;

import org.jspecify.annotations.NullMarked;
