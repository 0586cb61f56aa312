/**
 * MiniCache (arXiv 2405.14366): pairs of neighbouring layers share the directions of their keys and values. {@link
 * dev.kvasir.cache.method.minicache.Pair} is two layers; the directions are stored by whatever other method is named. Arranges
 * parts of {@code cache.store}; knows no other method.
 */
@NullMarked
package dev.kvasir.cache.method.minicache;

import org.jspecify.annotations.NullMarked;
