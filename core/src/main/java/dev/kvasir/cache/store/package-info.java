/**
 * Tokens' keys and values in one representation each, one object for each KV head of a layer: the parts that methods
 * arrange.
 *
 * <p>A store answers from what it holds: it is asked for scores or for weighted sums. It may use the page pool and the
 * kernels; it knows no method. Start with {@link dev.kvasir.cache.store.TokenStore}.
 */
@NullMarked
package dev.kvasir.cache.store;

import org.jspecify.annotations.NullMarked;
