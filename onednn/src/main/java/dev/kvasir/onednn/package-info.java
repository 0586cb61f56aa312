/**
 * Products of many tokens by oneDNN, found by {@code tensor} through {@link dev.kvasir.tensor.ProductLibrary}.
 *
 * <p>Start at {@link dev.kvasir.onednn.OneDnn}. Uses {@code tensor} only. Without this module, or where its native part does
 * not load, {@code tensor} multiplies by itself.
 */
@NullMarked
package dev.kvasir.onednn;

import org.jspecify.annotations.NullMarked;
