/** H2O: tokens that have got the most attention stay, and the newest. */
@NullMarked
package dev.kvasir.cache.method.h2o;

import org.jspecify.annotations.NullMarked;
