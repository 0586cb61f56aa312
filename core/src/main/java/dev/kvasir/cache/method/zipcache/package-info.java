/**
 * ZipCache (arXiv 2405.14256): salient tokens in 4 bits, the rest in 2, keys per channel and values channel-separable per
 * token. A segment ({@link dev.kvasir.cache.method.zipcache.ZipSegment}) is quantized once, of packed stores that all heads
 * of a layer share scales in; saliency comes from {@code cache.importance}. Knows no other method.
 */
@NullMarked
package dev.kvasir.cache.method.zipcache;

import org.jspecify.annotations.NullMarked;
