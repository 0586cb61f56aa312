/**
 * What the hot loops cost on this machine, under JMH: {@link dev.kvasir.bench.Ceilings} is what the machine can do, {@link
 * dev.kvasir.bench.StoreReads} one head's reads of a store, {@link dev.kvasir.bench.LayerAttention} a layer's decode
 * attention as a user of the library meets it. {@link dev.kvasir.bench.Main} runs them and prints one table. Uses core.
 */
@NullMarked
package dev.kvasir.bench;

import org.jspecify.annotations.NullMarked;
