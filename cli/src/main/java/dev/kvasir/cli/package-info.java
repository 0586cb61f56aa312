/** See the packages below. */
@NullMarked
package dev.kvasir.cli;

import org.jspecify.annotations.NullMarked;
