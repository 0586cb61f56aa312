/** The reference: every key and value as it is, in a float type. Arranges parts of {@code cache.store}; knows no other method. */
@NullMarked
package dev.kvasir.cache.method.exact;

import org.jspecify.annotations.NullMarked;
