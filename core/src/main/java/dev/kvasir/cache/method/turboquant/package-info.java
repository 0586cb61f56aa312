/** TurboQuant (arXiv 2504.19874): random rotation, Lloyd-Max codes, and a sign sketch of what keys lost. Arranges parts of {@code cache.store}, {@code cache.transform} and {@code cache.codebook}; knows no other method. */
@NullMarked
package dev.kvasir.cache.method.turboquant;

import org.jspecify.annotations.NullMarked;
