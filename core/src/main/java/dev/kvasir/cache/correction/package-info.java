/**
 * Corrections that add back what a store lost: {@link dev.kvasir.cache.correction.LowRank} factors of a residual, and
 * sparse outliers, {@link dev.kvasir.cache.correction.FixedSlots} where tokens come one by one, {@link
 * dev.kvasir.cache.correction.Csr} where a chunk of tokens is compressed at once.
 *
 * <p>{@link dev.kvasir.cache.correction.Svd} decomposes the matrices that latents are made of.
 *
 * <p>Each correction is a layout of bytes in a page of whoever owns the corrected store, plus reads that add to its scores and sums.
 * Uses the kernels, knows nothing of stores.
 */
@NullMarked
package dev.kvasir.cache.correction;

import org.jspecify.annotations.NullMarked;
