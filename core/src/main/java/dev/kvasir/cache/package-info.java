/**
 * What is remembered between tokens: the door ({@link dev.kvasir.cache.KvCache}, {@link
 * dev.kvasir.cache.LayerCache}), the parts that methods are made of, the page pool and the registry.
 *
 * <p>Each published method is one package below {@code method}; none of them knows another.
 */
@NullMarked
package dev.kvasir.cache;

import org.jspecify.annotations.NullMarked;
