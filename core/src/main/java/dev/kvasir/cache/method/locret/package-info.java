/**
 * Locret (arXiv 2410.01805): trained retaining heads score tokens as they come, and each chunk of a prompt is cut back to a
 * fixed number of tokens for every KV head.
 *
 * <p>The heads are trained by {@code kvasir train heads}, in module train, and read here from a calibration.
 */
@NullMarked
package dev.kvasir.cache.method.locret;

import org.jspecify.annotations.NullMarked;
