/**
 * The hot loops of the caches behind one door, {@link dev.kvasir.cache.kernel.Kernels}: a scalar version that anybody can
 * read and the Vector API version that runs, plus the layouts both agree on.
 *
 * <p>Everything a cache computes is a product of a few query rows with a matrix {@code [depth][lanes]}: for keys a lane is
 * a token and the depth runs over channels, for values a lane is a channel and the depth runs over tokens. Loops here know
 * nothing else. Uses no other package of the product.
 */
@NullMarked
package dev.kvasir.cache.kernel;

import org.jspecify.annotations.NullMarked;
