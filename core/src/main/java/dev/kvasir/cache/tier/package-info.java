/**
 * The second tier: where a cache keeps every token of which a step reads few. Memory, or a temporary file that is mapped.
 *
 * <p>May use the page pool; knows no store and no method. Start with {@link dev.kvasir.cache.tier.SecondTier}.
 */
@NullMarked
package dev.kvasir.cache.tier;

import org.jspecify.annotations.NullMarked;
