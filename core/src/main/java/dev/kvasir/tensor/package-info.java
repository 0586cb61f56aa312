/**
 * Numbers in memory and the loops over them: element types, matrices, the worker threads and the kernels.
 *
 * <p>Knows nothing of models or caches. Products go through {@link dev.kvasir.tensor.Linear}, everything else a layer
 * computes through {@link dev.kvasir.tensor.Activations}; both use the Vector API and are held against the plain loops
 * of {@code ScalarKernels} in the tests. Kernels use only operations whose results are defined to the bit (see {@code
 * Simd}), so the same input gives the same output, compiled or not, on one thread or many.
 */
@NullMarked
package dev.kvasir.tensor;

import org.jspecify.annotations.NullMarked;
