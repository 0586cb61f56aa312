/**
 * ZipCache (arXiv 2405.14256): salient tokens in 4 bits, the rest in 2, keys per channel and values channel-separable per
 * token. What is stored are the segments of {@code cache.segment}; saliency comes from {@code cache.importance}. Knows no other
 * method. Start at {@link dev.kvasir.cache.method.zipcache.ZipCache}.
 */
@NullMarked
package dev.kvasir.cache.method.zipcache;

import org.jspecify.annotations.NullMarked;
