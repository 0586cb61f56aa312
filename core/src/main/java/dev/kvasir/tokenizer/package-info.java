/**
 * Text to token ids and back: a {@code tokenizer.json}, or one made of a GGUF file's metadata,
 * read through DJL tokenizers, and streaming detokenisation.
 *
 * <p>Start at {@link dev.kvasir.tokenizer.Tokenizer}. Uses {@code format} to read JSON that nobody vouches for.
 */
@NullMarked
package dev.kvasir.tokenizer;

import org.jspecify.annotations.NullMarked;
