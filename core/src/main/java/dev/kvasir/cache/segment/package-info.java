/**
 * Tokens quantized together in two precisions: a {@link dev.kvasir.cache.segment.Segment} has some of its tokens in more bits and
 * the others in fewer, with scales that all heads of a layer share; {@link dev.kvasir.cache.segment.Segments} is a layer of them with
 * an exact tail. Who gets which bits is for a method to say: {@code cache.method.zipcache} and {@code cache.method.zipvl} do. Uses
 * {@code cache.store} and {@code cache.kernel}; start at {@link dev.kvasir.cache.segment.SegmentLayout}.
 */
@NullMarked
package dev.kvasir.cache.segment;

import org.jspecify.annotations.NullMarked;
