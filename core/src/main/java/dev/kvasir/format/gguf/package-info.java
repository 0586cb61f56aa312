/**
 * GGUF files, version 2 and 3: what lies where in them, with every count and offset checked before it is used.
 *
 * <p>Start at {@link dev.kvasir.format.gguf.GgufFile}; the texts and numbers beside the tensors are {@link
 * dev.kvasir.format.gguf.GgufMetadata}. Knows the file format alone, of our packages it uses {@code tensor}; what a model's
 * keys and tensor names mean is {@code format}'s business.
 */
@NullMarked
package dev.kvasir.format.gguf;

import org.jspecify.annotations.NullMarked;
