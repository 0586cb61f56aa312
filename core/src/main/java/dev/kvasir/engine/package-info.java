/**
 * One sequence at a time: sampling, stop strings and the generation loop over a decoder and a cache.
 *
 * <p>Start at {@link dev.kvasir.engine.Generator}; {@link dev.kvasir.engine.CalibrationRun} shows a model to what learns of it. Uses {@code model}, {@code cache} and {@code tokenizer}; reads no file.
 */
@NullMarked
package dev.kvasir.engine;

import org.jspecify.annotations.NullMarked;
