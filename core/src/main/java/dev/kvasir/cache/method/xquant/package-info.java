/**
 * XQuant: the quantized input of the attention layers is kept instead of keys and values, which are made again from it on
 * every read.
 *
 * <p>{@link dev.kvasir.cache.method.xquant.XQuantPlan} has the sizes, {@link dev.kvasir.cache.method.xquant.Latents} the
 * factors of the weights; {@link dev.kvasir.cache.method.xquant.InputLayer} keeps inputs, {@link
 * dev.kvasir.cache.method.xquant.LatentLayer} latents.
 *
 * <p>XQuant-CL: the layers of a {@link dev.kvasir.cache.method.xquant.DeltaGroup} keep differences and share a sum. Uses the packed stores and the rotating reads of {@code cache.store}.
 */
@NullMarked
package dev.kvasir.cache.method.xquant;

import org.jspecify.annotations.NullMarked;
