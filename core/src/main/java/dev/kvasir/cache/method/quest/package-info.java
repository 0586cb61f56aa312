/**
 * Quest (arXiv 2406.10774): pages of tokens whose keys' bounds promise the best scores. Chooses by parts of {@code
 * cache.lookup}; knows no other method.
 */
@NullMarked
package dev.kvasir.cache.method.quest;

import org.jspecify.annotations.NullMarked;
