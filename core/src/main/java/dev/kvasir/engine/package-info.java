/**
 * One sequence at a time: sampling, stop strings and the generation loop over a decoder and a cache.
 */
@NullMarked
package dev.kvasir.engine;

import org.jspecify.annotations.NullMarked;
