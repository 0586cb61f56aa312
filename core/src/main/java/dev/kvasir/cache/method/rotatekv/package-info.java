/**
 * RotateKV (arXiv 2501.16383): keys rotated over heads before RoPE and reordered by calibration, values rotated per head,
 * massive tokens exact. Arranges parts of {@code cache.store} and {@code cache.transform}; knows no other method. Start with
 * {@link dev.kvasir.cache.method.rotatekv.RotateKvLayer}.
 */
@NullMarked
package dev.kvasir.cache.method.rotatekv;

import org.jspecify.annotations.NullMarked;
