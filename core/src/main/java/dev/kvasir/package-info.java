/** The errors every other package may throw; nothing else lives at the root. */
@NullMarked
package dev.kvasir;

import org.jspecify.annotations.NullMarked;
