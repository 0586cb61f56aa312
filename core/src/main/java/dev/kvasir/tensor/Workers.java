package dev.kvasir.tensor;

import java.util.function.IntConsumer;

/**
 * The threads that share one step's work.
 *
 * <p>A task is cut into parts whose number and borders do not depend on the number of threads, so results do not either.
 */
public interface Workers extends AutoCloseable {
    /** Threads that work at once, the caller included; at least 1. */
    int threads();

    /**
     * Runs {@code part} for 0 to {@code parts - 1}, on any thread in any order, and returns when all are done. An
     * exception of a part is rethrown here after the others have finished.
     */
    void run(int parts, IntConsumer part);

    /** Stops the threads; the workers cannot be used afterwards. */
    @Override
    void close();
}
