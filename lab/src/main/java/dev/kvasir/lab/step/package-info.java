/**
 * What the measurements need of a model: sequences that take tokens and give logits, and a way to say how far they are.
 *
 * <p>{@link dev.kvasir.lab.step.EngineModel} is the real one, over the decoder and the caches of core; everything else
 * in the lab knows the interfaces alone, so its definitions can be tested against sequences made by hand.
 */
@NullMarked
package dev.kvasir.lab.step;

import org.jspecify.annotations.NullMarked;
