/**
 * Text to token ids and back: a {@code tokenizer.json} read through DJL tokenizers, and streaming detokenisation.
 */
@NullMarked
package dev.kvasir.tokenizer;

import org.jspecify.annotations.NullMarked;
