package dev.kvasir.tensor;

import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.locks.LockSupport;
import java.util.function.IntConsumer;

/**
 * A fixed crew of daemon threads that claim parts from one counter, together with the caller.
 *
 * <p>The counter tells everything a claim needs:
 *
 * <pre>
 *   63            32 31             0
 *  +----------------+----------------+
 *  | task number    | parts left     |
 *  +----------------+----------------+
 * </pre>
 *
 * A claim is one compare-and-set that lowers the low half. The task number changes with every task, so a late thread's
 * claim on an earlier task fails; and while a claimed part runs, its task cannot end, so the plain fields that describe
 * the task may be read after the claim.
 */
final class ThreadWorkers implements Workers {
    /** How long a thread looks for news before it parks: longer than the serial pieces between two parts of a layer. */
    private static final long SPIN_NANOS = 40_000;

    private final Helper[] helpers;
    private final AtomicLong claims = new AtomicLong();
    private final AtomicInteger unfinished = new AtomicInteger();
    private final AtomicBoolean running = new AtomicBoolean();
    private final AtomicReference<Throwable> failure = new AtomicReference<>();
    private volatile Thread caller = Thread.currentThread();
    private volatile boolean callerParked;
    private volatile boolean closed;

    // Written by run() before the counter is set, read after a successful claim.
    private IntConsumer task = ThreadWorkers::nothing;
    private int parts;

    ThreadWorkers(int threads) {
        helpers = new Helper[threads - 1];
        for (int i = 0; i < helpers.length; i++) {
            helpers[i] = new Helper("kvasir-worker-" + (i + 1));
        }
        for (Helper helper : helpers) {
            helper.thread.start();
        }
    }

    @Override
    public int threads() {
        return helpers.length + 1;
    }

    @Override
    public void run(int parts, IntConsumer part) {
        if (closed) {
            throw new IllegalStateException("the workers are closed");
        }
        if (!running.compareAndSet(false, true)) {
            throw new IllegalStateException(
                    "the workers are busy: run() was called inside a part or by a second thread");
        }
        try {
            perform(parts, part);
        } finally {
            task = ThreadWorkers::nothing;
            running.set(false);
        }
    }

    private void perform(int parts, IntConsumer part) {
        if (parts <= 0) {
            return;
        }
        this.task = part;
        this.parts = parts;
        unfinished.set(parts);
        if (parts == 1 || helpers.length == 0) {
            for (int i = 0; i < parts; i++) {
                runPart(i);
            }
        } else {
            caller = Thread.currentThread();
            long number = (claims.get() >>> 32) + 1;
            claims.set(number << 32 | parts);
            for (int i = 0; i < Math.min(helpers.length, parts - 1); i++) {
                helpers[i].wake();
            }
            claimParts();
            awaitOthers();
        }
        rethrow(failure.getAndSet(null));
    }

    private static void nothing(int part) {}

    private void claimParts() {
        while (true) {
            long seen = claims.get();
            int left = (int) seen;
            if (left == 0) {
                return;
            }
            if (claims.compareAndSet(seen, seen - 1)) {
                runPart(parts - left);
            }
        }
    }

    // Whatever a part throws belongs to the caller of run().
    @SuppressWarnings("CatchingUnchecked")
    private void runPart(int index) {
        try {
            task.accept(index);
        } catch (Throwable problem) {
            if (!failure.compareAndSet(null, problem)) {
                Throwable first = failure.get();
                if (first != null && !first.equals(problem)) {
                    first.addSuppressed(problem);
                }
            }
        } finally {
            if (unfinished.decrementAndGet() == 0 && callerParked) {
                LockSupport.unpark(caller);
            }
        }
    }

    private void awaitOthers() {
        long start = System.nanoTime();
        boolean interrupted = false;
        while (unfinished.get() > 0) {
            if (System.nanoTime() - start < SPIN_NANOS) {
                Thread.onSpinWait();
                continue;
            }
            callerParked = true;
            if (unfinished.get() > 0) {
                LockSupport.park(this);
                interrupted |= Thread.interrupted();
            }
            callerParked = false;
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }

    private static void rethrow(Throwable problem) {
        switch (problem) {
            case null -> {}
            case RuntimeException e -> throw e;
            case Error e -> throw e;
            default -> throw new IllegalStateException(problem);
        }
    }

    @Override
    public void close() {
        closed = true;
        for (Helper helper : helpers) {
            LockSupport.unpark(helper.thread);
        }
    }

    /** One thread and whether it sleeps. */
    private final class Helper {
        final Thread thread;
        private volatile boolean parked;

        Helper(String name) {
            thread = Thread.ofPlatform().daemon().name(name).unstarted(this::work);
        }

        void wake() {
            if (parked) {
                LockSupport.unpark(thread);
            }
        }

        private void work() {
            long idleSince = System.nanoTime();
            while (!closed) {
                if ((int) claims.get() != 0) {
                    claimParts();
                    idleSince = System.nanoTime();
                } else if (System.nanoTime() - idleSince < SPIN_NANOS) {
                    Thread.onSpinWait();
                } else {
                    parked = true;
                    if ((int) claims.get() == 0 && !closed) {
                        LockSupport.park(ThreadWorkers.this);
                    }
                    parked = false;
                    idleSince = System.nanoTime();
                }
            }
        }
    }
}
