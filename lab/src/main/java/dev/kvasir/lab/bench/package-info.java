/**
 * Prefill and decode speed at cache depths, caches interleaved, and the memory it takes.
 */
@NullMarked
package dev.kvasir.lab.bench;

import org.jspecify.annotations.NullMarked;
