package dev.kvasir.tensor;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kvasir.InvalidInputException;
import java.time.Duration;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicIntegerArray;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

@Timeout(60)
class WorkersTest {
    @ParameterizedTest
    @ValueSource(ints = {1, 2, 3, 8})
    void runsEveryPartOnce(int threads) {
        Random random = new Random(threads);
        try (Workers workers = Workers.of(threads)) {
            assertThat(workers.threads()).isEqualTo(threads);
            for (int round = 0; round < 3000; round++) {
                int parts = random.nextInt(round % 100 == 0 ? 1000 : 12);
                AtomicIntegerArray ran = new AtomicIntegerArray(parts);
                workers.run(parts, ran::incrementAndGet);
                for (int i = 0; i < parts; i++) {
                    assertThat(ran.get(i)).isEqualTo(1);
                }
            }
        }
    }

    @Test
    void partsSeeWhatWasWrittenBeforeAndTheCallerSeesWhatTheyWrote() {
        int[] numbers = new int[64];
        try (Workers workers = Workers.of(4)) {
            for (int round = 1; round <= 2000; round++) {
                int expected = round;
                workers.run(64, i -> numbers[i]++);
                assertThat(numbers).containsOnly(expected);
            }
        }
    }

    @Test
    void usesAllThreadsAlsoAfterTheySlept() throws InterruptedException {
        try (Workers workers = Workers.of(3)) {
            for (int round = 0; round < 5; round++) {
                Set<Thread> threads = ConcurrentHashMap.newKeySet();
                CountDownLatch together = new CountDownLatch(3);
                workers.run(3, i -> {
                    threads.add(Thread.currentThread());
                    together.countDown();
                    // No part ends before all three have begun, so three threads are needed.
                    await(together);
                });
                assertThat(threads).hasSize(3).contains(Thread.currentThread());
                Thread.sleep(Duration.ofMillis(20));
            }
        }
    }

    private static void await(CountDownLatch latch) {
        try {
            latch.await();
        } catch (InterruptedException e) {
            throw new IllegalStateException(e);
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2, 4})
    void rethrowsAfterTheOtherPartsFinished(int threads) {
        try (Workers workers = Workers.of(threads)) {
            AtomicInteger finished = new AtomicInteger();
            assertThatThrownBy(() -> workers.run(50, i -> {
                        if (i == 3 || i == 7) {
                            throw new InvalidInputException("part " + i);
                        }
                        finished.incrementAndGet();
                    }))
                    .isInstanceOf(InvalidInputException.class)
                    .hasMessageStartingWith("part ")
                    .satisfies(e -> assertThat(e.getSuppressed()).hasSize(1));
            assertThat(finished).hasValue(48);
            workers.run(5, i -> finished.incrementAndGet());
            assertThat(finished).hasValue(53);
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2})
    void refusesToRunInsideAPart(int threads) {
        try (Workers workers = Workers.of(threads)) {
            assertThatThrownBy(() -> workers.run(4, i -> workers.run(1, j -> {})))
                    .isInstanceOf(IllegalStateException.class)
                    .hasMessageContaining("inside a part");
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2})
    void refusesToRunAfterClose(int threads) {
        Workers workers = Workers.of(threads);
        workers.close();
        workers.close();
        assertThatThrownBy(() -> workers.run(1, i -> {}))
                .isInstanceOf(IllegalStateException.class)
                .hasMessageContaining("closed");
    }

    @Test
    void closingEndsTheThreads() throws InterruptedException {
        Set<Thread> threads = ConcurrentHashMap.newKeySet();
        try (Workers workers = Workers.of(2)) {
            CountDownLatch together = new CountDownLatch(2);
            workers.run(2, i -> {
                threads.add(Thread.currentThread());
                together.countDown();
                await(together);
            });
        }
        threads.remove(Thread.currentThread());
        assertThat(threads).hasSize(1);
        for (Thread thread : threads) {
            assertThat(thread.isDaemon()).isTrue();
            assertThat(thread.join(Duration.ofSeconds(10))).isTrue();
        }
    }

    @Test
    void anInterruptedCallerStillWaitsAndStaysInterrupted() {
        try (Workers workers = Workers.of(2)) {
            AtomicInteger finished = new AtomicInteger();
            Thread.currentThread().interrupt();
            workers.run(2, i -> {
                long end = System.nanoTime() + 3_000_000;
                while (System.nanoTime() < end) {
                    Thread.onSpinWait();
                }
                finished.incrementAndGet();
            });
            assertThat(Thread.interrupted()).isTrue();
            assertThat(finished).hasValue(2);
        }
    }

    @Test
    void refusesImpossibleNumbersOfThreads() {
        assertThatThrownBy(() -> Workers.of(0))
                .isInstanceOf(InvalidInputException.class)
                .hasMessage("threads must be 1 to 1024, found 0");
    }
}
