/** AccLLM's cache: Lambda-shaped attention over 4-bit tokens. */
@NullMarked
package dev.kvasir.cache.method.lambda;

import org.jspecify.annotations.NullMarked;
