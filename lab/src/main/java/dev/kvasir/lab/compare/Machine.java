package dev.kvasir.lab.compare;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.Stream;

/**
 * Where a measurement was taken.
 *
 * @param cpu name of the processor; its architecture where the system does not tell
 * @param cores processors this process may use
 * @param threads threads that worked
 */
public record Machine(String cpu, int cores, int threads, String os, String java) {
    private static final Path CPU_INFO = Path.of("/proc/cpuinfo");
    private static final String CPU_NAME = "model name";

    /** This machine, with {@code threads} threads at work. */
    public static Machine current(int threads) {
        return new Machine(
                cpuName(),
                Runtime.getRuntime().availableProcessors(),
                threads,
                System.getProperty("os.name") + " " + System.getProperty("os.version"),
                System.getProperty("java.vm.vendor") + " " + Runtime.version());
    }

    private static String cpuName() {
        String architecture = System.getProperty("os.arch");
        if (!Files.isReadable(CPU_INFO)) {
            return architecture;
        }
        try (Stream<String> lines = Files.lines(CPU_INFO, StandardCharsets.ISO_8859_1)) {
            return lines.filter(line -> line.startsWith(CPU_NAME) && line.contains(":"))
                    .map(line -> line.substring(line.indexOf(':') + 1).trim())
                    .findFirst()
                    .orElse(architecture);
        } catch (IOException e) {
            return architecture;
        }
    }
}
