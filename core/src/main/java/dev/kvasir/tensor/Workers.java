package dev.kvasir.tensor;

import dev.kvasir.InvalidInputException;
import java.util.function.IntConsumer;

/**
 * The threads that share one step's work.
 *
 * <p>A task is cut into parts whose number and borders do not depend on the number of threads, so results do not either.
 * One task runs at a time: {@link #run} fails when it is called from inside a part or by a second thread.
 */
public interface Workers extends AutoCloseable {
    /** Most threads {@link #of} accepts. */
    int MAX_THREADS = 1024;

    /**
     * Workers with {@code threads} threads, the caller of {@link #run} included; 1 starts no thread.
     *
     * @throws InvalidInputException if {@code threads} is not 1 to {@link #MAX_THREADS}
     */
    static Workers of(int threads) {
        if (threads < 1 || threads > MAX_THREADS) {
            throw new InvalidInputException("threads must be 1 to " + MAX_THREADS + ", found " + threads);
        }
        return new ThreadWorkers(threads);
    }

    /** Threads that work at once, the caller included; at least 1. */
    int threads();

    /**
     * Runs {@code part} for 0 to {@code parts - 1}, on any thread in any order, and returns when all are done. An
     * exception of a part is rethrown here after the others have finished; those of further parts are suppressed in it.
     *
     * <p>A hand-off costs about a microsecond: give work that takes less as one part, which runs on the caller.
     *
     * @throws IllegalStateException after {@link #close}, or while a task is running
     */
    void run(int parts, IntConsumer part);

    /** Stops the threads; the workers cannot be used afterwards. */
    @Override
    void close();
}
