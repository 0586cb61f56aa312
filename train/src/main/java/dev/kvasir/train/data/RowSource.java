package dev.kvasir.train.data;

import dev.kvasir.lab.task.Split;

/** An endless, reproducible stream of rows. */
public interface RowSource {
    /** The name the recipe calls it by. */
    String name();

    /** Row number {@code index} of a split, with {@code length} predictions; equal arguments give equal rows. */
    Row row(Split split, long index, int length);
}
