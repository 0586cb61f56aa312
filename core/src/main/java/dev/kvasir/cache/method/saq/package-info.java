/** SAQ (arXiv 2410.18441): segments of tokens lose bits as they age. Arranges the stairs of {@code cache.store}; knows no other method. */
@NullMarked
package dev.kvasir.cache.method.saq;

import org.jspecify.annotations.NullMarked;
