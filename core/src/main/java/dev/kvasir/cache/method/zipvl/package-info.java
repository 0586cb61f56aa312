/**
 * ZipVL (arXiv 2410.08584): how many tokens matter is measured in each layer; only these attend in a prompt, and they get more bits
 * than the others, or are all that stays. What is stored are the segments of {@code cache.segment}, or a kept layer of {@code
 * cache.selection}. Knows no other method. Start at {@link dev.kvasir.cache.method.zipvl.ZipVlCache}.
 */
@NullMarked
package dev.kvasir.cache.method.zipvl;

import org.jspecify.annotations.NullMarked;
