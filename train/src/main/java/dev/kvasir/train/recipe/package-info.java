/** What a training run is: shape, optimiser, stages and mixture, read from one JSON file. */
@NullMarked
package dev.kvasir.train.recipe;

import org.jspecify.annotations.NullMarked;
