/**
 * KVQuant (arXiv 2401.18079): keys before RoPE under calibrated channel thresholds, values by token, non-uniform codes,
 * sparse outliers, first tokens exact. Arranges parts of {@code cache.store} and {@code cache.codebook}; knows no other
 * method. {@code KvQuantLayer} is the placement, {@code KvQuantCalibrator} learns what {@code KvQuantTables} reads.
 */
@NullMarked
package dev.kvasir.cache.method.kvquant;

import org.jspecify.annotations.NullMarked;
