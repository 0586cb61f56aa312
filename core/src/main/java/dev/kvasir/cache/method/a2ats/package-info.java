/**
 * A2ATS (arXiv 2502.12665): every token in a second tier, and of them read those whose keys' code vectors score best. Chooses
 * by parts of {@code cache.lookup}; knows no other method.
 */
@NullMarked
package dev.kvasir.cache.method.a2ats;

import org.jspecify.annotations.NullMarked;
