/** Scissorhands: a fixed number of tokens a head; those go that were most often below average of late. */
@NullMarked
package dev.kvasir.cache.method.scissorhands;

import org.jspecify.annotations.NullMarked;
