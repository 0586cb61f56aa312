/**
 * Numbers in memory and the loops over them: element types, matrices, the worker threads and the kernels.
 *
 * <p>Knows nothing of models or caches. The kernels stand behind one door each, with a scalar oracle that anybody can
 * read beside the Vector API version that runs.
 */
@NullMarked
package dev.kvasir.tensor;

import org.jspecify.annotations.NullMarked;
