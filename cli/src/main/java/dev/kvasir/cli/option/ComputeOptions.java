package dev.kvasir.cli.option;

import com.sun.management.OperatingSystemMXBean;
import dev.kvasir.tensor.Workers;
import java.lang.management.ManagementFactory;
import java.util.Optional;
import picocli.CommandLine.Option;

/** How much of the machine a run may take. */
public final class ComputeOptions {
    /** Left to the operating system, the Java heap and others when no budget is named. */
    private static final double DEFAULT_SHARE = 0.75;

    @Option(
            names = "--threads",
            paramLabel = "N",
            description = "Threads that compute. Default: the processors of this machine.")
    private Optional<Integer> threads = Optional.empty();

    @Option(
            names = "--cache-budget",
            paramLabel = "SIZE",
            converter = ByteSize.Converter.class,
            description = "Most bytes that caches may hold, e.g. 512M; more ends in an error."
                    + " Default: three quarters of the memory, less the weights.")
    private Optional<ByteSize> cacheBudget = Optional.empty();

    /** Fails if a value is out of range; to be called before anything is opened. */
    public void check() {
        threads.ifPresent(count -> Range.check("--threads", count, 1, Workers.MAX_THREADS));
        cacheBudget.ifPresent(size -> Range.check("--cache-budget", size.bytes(), 1, Long.MAX_VALUE));
    }

    /** Threads to compute with. */
    public int threads() {
        return threads.orElse(Math.min(Runtime.getRuntime().availableProcessors(), Workers.MAX_THREADS));
    }

    /** Bytes that caches may hold beside weights of {@code weightBytes}. */
    public long cacheBudget(long weightBytes) {
        return cacheBudget.map(ByteSize::bytes).orElseGet(() -> defaultBudget(weightBytes));
    }

    private static long defaultBudget(long weightBytes) {
        long memory =
                ManagementFactory.getPlatformMXBean(OperatingSystemMXBean.class).getTotalMemorySize();
        // Weights are mapped and can be dropped by the system, so a model larger than the memory leaves a little.
        return Math.max(memory / 16, (long) (memory * DEFAULT_SHARE) - weightBytes);
    }
}
