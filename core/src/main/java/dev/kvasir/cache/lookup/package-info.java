/**
 * Caches that keep every token and read few: a small index in the fast tier says which, exact attention runs over those. The
 * parts that methods share: top-K by counting, what was chosen, what was read, rows in a second tier.
 *
 * <p>May use stores, attention and tiers; knows no method. Start with {@link dev.kvasir.cache.lookup.LookupLayer}.
 */
@NullMarked
package dev.kvasir.cache.lookup;

import org.jspecify.annotations.NullMarked;
