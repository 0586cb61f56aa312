/**
 * Conversions: a model folder in, another out, whose weights suit a cache better and whose logits are the same.
 *
 * <p>Start at {@link dev.kvasir.convert.KSort}. May use {@code model}, {@code cache} and {@code format}; reading and writing
 * files is the business of {@code format}.
 */
@NullMarked
package dev.kvasir.convert;

import org.jspecify.annotations.NullMarked;
