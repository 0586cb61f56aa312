/**
 * CSKV: latents of a joint low rank for every token beside a window of exact ones, with factors trained layer by layer (arXiv
 * 2409.10593). {@code CskvLayer} arranges the parts, {@code CskvCalibrator} learns. Uses the shared stores and {@code
 * cache.correction.Svd}; knows no other method.
 */
@NullMarked
package dev.kvasir.cache.method.cskv;

import org.jspecify.annotations.NullMarked;
