/** The block types of llama.cpp: 32 channels of a token share a scale, optionally after a Hadamard rotation. Arranges parts of {@code cache.store}; knows no other method. */
@NullMarked
package dev.kvasir.cache.method.block;

import org.jspecify.annotations.NullMarked;
