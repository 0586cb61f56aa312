/** See the packages below. */
@NullMarked
package dev.kvasir.train;

import org.jspecify.annotations.NullMarked;
