/**
 * The decoder: configuration, weights and the forward pass of the Llama family.
 *
 * <p>Uses {@code tensor} for arithmetic and {@code cache} for everything that is remembered between tokens. Reading
 * files is the business of {@code format}. Start at {@link dev.kvasir.model.Decoder}; {@code ScalarDecoder} in the tests is
 * the same pass in plain loops.
 */
@NullMarked
package dev.kvasir.model;

import org.jspecify.annotations.NullMarked;
