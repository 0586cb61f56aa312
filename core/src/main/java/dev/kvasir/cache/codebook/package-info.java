/**
 * Levels of non-uniform scalar quantizers and how they are found: {@link dev.kvasir.cache.codebook.LloydMax} for a known
 * density, {@link dev.kvasir.cache.codebook.WeightedKMeans} for data, {@link dev.kvasir.cache.codebook.NormalFloat} as the
 * usual ablation, {@link dev.kvasir.cache.codebook.QNorm} to keep mean and deviation.
 *
 * <p>Nothing here runs while a model does; stores turn a {@link dev.kvasir.cache.codebook.Codebook} into what their
 * kernels read. Uses no other package of the product.
 */
@NullMarked
package dev.kvasir.cache.codebook;

import org.jspecify.annotations.NullMarked;
