/** The Llama decoder as libtorch tensors. Knows shapes and arithmetic, nothing of texts or schedules. */
@NullMarked
package dev.kvasir.train.net;

import org.jspecify.annotations.NullMarked;
