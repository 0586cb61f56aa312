package dev.kvasir.bench;

import java.util.Collection;
import java.util.Locale;
import org.openjdk.jmh.results.RunResult;
import org.openjdk.jmh.runner.Runner;
import org.openjdk.jmh.runner.RunnerException;
import org.openjdk.jmh.runner.options.CommandLineOptionException;
import org.openjdk.jmh.runner.options.CommandLineOptions;
import org.openjdk.jmh.runner.options.OptionsBuilder;
import org.openjdk.jmh.runner.options.TimeValue;

/**
 * Runs the benchmarks that its arguments, JMH's own, choose, in one JVM each, and prints them against what the machine can do
 * in the same run. Later parts, such as the weights' products, add a class with {@code @Benchmark} methods beside the others.
 */
public final class Main {
    private Main() {}

    /** JMH's options: a regular expression of benchmarks, {@code -p store=2,4 -p headDim=64}, {@code -f 1} and so on. */
    public static void main(String[] args) throws RunnerException, CommandLineOptionException {
        CommandLineOptions given = new CommandLineOptions(args);
        OptionsBuilder options = new OptionsBuilder();
        options.parent(given);
        options.include("Ceilings");
        if (given.getIncludes().isEmpty()) {
            options.include("StoreReads").include("LayerAttention");
        }
        options.forks(given.getForkCount().orElse(1));
        options.warmupIterations(given.getWarmupIterations().orElse(5));
        options.warmupTime(given.getWarmupTime().orElse(TimeValue.seconds(1)));
        options.measurementIterations(given.getMeasurementIterations().orElse(5));
        options.measurementTime(given.getMeasurementTime().orElse(TimeValue.milliseconds(500)));
        options.jvmArgsAppend("--add-modules=jdk.incubator.vector", "--enable-native-access=ALL-UNNAMED", "-Xmx4g");
        print(new Runner(options.build()).run());
    }

    private static void print(Collection<RunResult> results) {
        double readNanos = best(results, "Ceilings.read");
        double multiplyNanos = best(results, "Ceilings.multiplyAdd");
        double multipliesPerNano = Ceilings.multiplyAdds() / multiplyNanos;
        System.out.printf(
                Locale.ROOT,
                "%nceilings of one thread: read %.1f GB/s, %.1f GFLOP/s of fused multiply-adds%n%n",
                Ceilings.BYTES / readNanos,
                2 * multipliesPerNano);
        System.out.printf(Locale.ROOT, "%-60s %12s %12s %18s%n", "benchmark", "best", "median", "of the FMA ceiling");
        for (RunResult result : results) {
            String name = result.getParams().getBenchmark();
            if (name.contains("Ceilings")) {
                continue;
            }
            var statistics = result.getPrimaryResult().getStatistics();
            System.out.printf(
                    Locale.ROOT,
                    "%-60s %9.1f %s %9.1f %s %18s%n",
                    name.substring(name.lastIndexOf('.', name.lastIndexOf('.') - 1) + 1) + parameters(result),
                    statistics.getMin(),
                    result.getPrimaryResult().getScoreUnit().substring(0, 2),
                    statistics.getPercentile(50),
                    result.getPrimaryResult().getScoreUnit().substring(0, 2),
                    share(result, multipliesPerNano));
        }
    }

    private static double best(Collection<RunResult> results, String benchmark) {
        return results.stream()
                .filter(result -> result.getParams().getBenchmark().endsWith(benchmark))
                .mapToDouble(result -> result.getPrimaryResult().getStatistics().getMin())
                .findFirst()
                .orElse(Double.NaN);
    }

    private static String parameters(RunResult result) {
        StringBuilder text = new StringBuilder();
        for (String key : result.getParams().getParamsKeys()) {
            text.append(' ').append(key).append('=').append(result.getParams().getParam(key));
        }
        return text.toString();
    }

    /** The multiply-adds that a dense product would take, against the ceiling of one thread. */
    private static String share(RunResult result, double multipliesPerNano) {
        if (!result.getParams().getBenchmark().contains("StoreReads")) {
            return "";
        }
        double work = (double) StoreReads.TOKENS
                * Integer.parseInt(result.getParams().getParam("headDim"))
                * Integer.parseInt(result.getParams().getParam("group"));
        double nanos = result.getPrimaryResult().getStatistics().getMin();
        return String.format(Locale.ROOT, "%.0f %%", 100 * work / nanos / multipliesPerNano);
    }
}
