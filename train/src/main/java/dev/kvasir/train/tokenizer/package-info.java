/**
 * Tokenizer training: byte-level BPE and sub-word encoding by likelihood (SWE), both written as a Hugging Face {@code
 * tokenizer.json}, and their comparison in bits per byte.
 *
 * <p>Enter through {@link dev.kvasir.train.tokenizer.TokenizerTraining}. Words and pieces are strings over the 256
 * characters of {@link dev.kvasir.train.tokenizer.ByteAlphabet}: one character is one byte, so {@code length()} counts
 * bytes. May use Jackson and the errors of {@code dev.kvasir}; knows nothing of models.
 */
@NullMarked
package dev.kvasir.train.tokenizer;

import org.jspecify.annotations.NullMarked;
