package dev.kvasir.cli.option;

import com.sun.management.OperatingSystemMXBean;
import java.lang.management.ManagementFactory;
import java.util.Optional;
import picocli.CommandLine.Option;

/** How much of the machine a run may take. */
public final class ComputeOptions {
    private static final int MOST_THREADS = 1024;
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

    /** Threads to compute with, checked. */
    public int threads() {
        int count = threads.orElse(Runtime.getRuntime().availableProcessors());
        Range.check("--threads", count, 1, MOST_THREADS);
        return count;
    }

    /** Bytes that caches may hold beside weights of {@code weightBytes}, checked. */
    public long cacheBudget(long weightBytes) {
        long bytes = cacheBudget.map(ByteSize::bytes).orElseGet(() -> defaultBudget(weightBytes));
        Range.check("--cache-budget", bytes, 1, Long.MAX_VALUE);
        return bytes;
    }

    private static long defaultBudget(long weightBytes) {
        long memory =
                ManagementFactory.getPlatformMXBean(OperatingSystemMXBean.class).getTotalMemorySize();
        // Weights are mapped and can be dropped by the system, so a model larger than the memory leaves a little.
        return Math.max(memory / 16, (long) (memory * DEFAULT_SHARE) - weightBytes);
    }
}
