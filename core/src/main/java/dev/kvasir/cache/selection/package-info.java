/**
 * Which tokens stay. A {@link dev.kvasir.cache.selection.Retention} decides, by an {@link
 * dev.kvasir.cache.selection.Importance} and a {@link dev.kvasir.cache.selection.Budget}; {@link
 * dev.kvasir.cache.selection.KeptLayer} does it, a {@code KeptHead} for each head: it holds the tokens that stay in the stores of another method, with their
 * true positions beside them; {@link dev.kvasir.cache.selection.WindowLayer} holds the first and the newest ones. Uses attention, importance and stores, knows no method.
 */
@NullMarked
package dev.kvasir.cache.selection;

import org.jspecify.annotations.NullMarked;
