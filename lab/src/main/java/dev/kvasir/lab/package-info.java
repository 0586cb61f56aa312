/** See the packages below. */
@NullMarked
package dev.kvasir.lab;

import org.jspecify.annotations.NullMarked;
