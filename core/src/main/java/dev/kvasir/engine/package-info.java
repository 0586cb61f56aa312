/**
 * One sequence at a time: sampling, stop strings and the generation loop over a decoder and a cache.
 *
 * <p>Start at {@link dev.kvasir.engine.Generator}. Uses {@code model}, {@code cache} and {@code tokenizer}; reads no file.
 */
@NullMarked
package dev.kvasir.engine;

import org.jspecify.annotations.NullMarked;
