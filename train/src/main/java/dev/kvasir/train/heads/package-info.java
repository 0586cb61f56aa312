/**
 * Training of Locret's retaining heads on a frozen model (arXiv 2410.01805, section 3.3): labels from the logits of answers, a
 * regression for each layer, in plain Java with closed gradients.
 *
 * <p>Start at {@link dev.kvasir.train.heads.HeadsJob}. What the heads are is {@code cache.method.locret} in core.
 */
@NullMarked
package dev.kvasir.train.heads;

import org.jspecify.annotations.NullMarked;
