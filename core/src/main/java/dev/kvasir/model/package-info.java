/**
 * The decoder: configuration, weights and the forward pass of the Llama family.
 *
 * <p>Uses {@code tensor} for arithmetic and {@code cache} for everything that is remembered between tokens. Reading
 * files is the business of {@code format}.
 */
@NullMarked
package dev.kvasir.model;

import org.jspecify.annotations.NullMarked;
