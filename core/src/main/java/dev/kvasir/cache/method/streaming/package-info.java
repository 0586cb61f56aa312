/** StreamingLLM: the first tokens and a rolling window. */
@NullMarked
package dev.kvasir.cache.method.streaming;

import org.jspecify.annotations.NullMarked;
