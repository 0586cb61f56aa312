/** TOVA: the token that the last query attends to least goes. */
@NullMarked
package dev.kvasir.cache.method.tova;

import org.jspecify.annotations.NullMarked;
