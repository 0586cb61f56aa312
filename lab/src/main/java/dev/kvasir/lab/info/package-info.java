/**
 * What a model is, and what each cache would cost for it.
 */
@NullMarked
package dev.kvasir.lab.info;

import org.jspecify.annotations.NullMarked;
