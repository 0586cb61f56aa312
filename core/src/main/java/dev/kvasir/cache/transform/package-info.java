/**
 * Invertible changes of basis: applied to keys and values once when they are stored, and to queries and outputs once a
 * step, never to a stored token again. {@link dev.kvasir.cache.transform.Transform} says what each side goes through;
 * {@link dev.kvasir.cache.transform.Composition} chains them. Uses the kernels, knows nothing of stores.
 */
@NullMarked
package dev.kvasir.cache.transform;

import org.jspecify.annotations.NullMarked;
