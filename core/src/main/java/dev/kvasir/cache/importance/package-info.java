/**
 * Importance, a number for each token made from attention weights as they pass, and what is done with it: which rows are
 * asked ({@link dev.kvasir.cache.importance.RowFilter}), what their weights add up to ({@link
 * dev.kvasir.cache.importance.ColumnSums}), how sums of unequal length are compared ({@link
 * dev.kvasir.cache.importance.Visibility}), and tiers of tokens that the less important leave ({@link
 * dev.kvasir.cache.importance.Tiers}). Uses stores and the observer of attention, knows no method.
 */
@NullMarked
package dev.kvasir.cache.importance;

import org.jspecify.annotations.NullMarked;
