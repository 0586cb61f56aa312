/**
 * The one attention routine that serves every method, and the cache of a sequence built on it.
 *
 * <p>Knows stores and transforms, no method. Start with {@link dev.kvasir.cache.attention.SequenceCache}.
 */
@NullMarked
package dev.kvasir.cache.attention;

import org.jspecify.annotations.NullMarked;
