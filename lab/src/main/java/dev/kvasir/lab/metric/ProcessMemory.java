package dev.kvasir.lab.metric;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.OptionalLong;

/** Resident memory of this process as Linux counts it; elsewhere there is none to read. */
public final class ProcessMemory {
    /** {@code proc(5)}: 5 sets the peak resident set size to the current one. */
    private static final String RESET_PEAK = "5";

    private final Path status;
    private final Path clearRefs;

    /** Reads {@code status} and resets through {@code clearRefs}, laid out as below {@code /proc/self}. */
    public ProcessMemory(Path status, Path clearRefs) {
        this.status = status;
        this.clearRefs = clearRefs;
    }

    /** The memory of this process. */
    public static ProcessMemory ofThisProcess() {
        return new ProcessMemory(Path.of("/proc/self/status"), Path.of("/proc/self/clear_refs"));
    }

    /** Largest resident set since the start or the last {@link #resetPeak}, in bytes. */
    public OptionalLong peakBytes() {
        return field("VmHWM:");
    }

    /** Resident set now, in bytes. */
    public OptionalLong residentBytes() {
        return field("VmRSS:");
    }

    /** Starts a new peak at the current resident set; false where the system does not allow it. */
    public boolean resetPeak() {
        if (!Files.isWritable(clearRefs)) {
            return false;
        }
        try {
            Files.writeString(clearRefs, RESET_PEAK);
            return true;
        } catch (IOException e) {
            return false;
        }
    }

    private OptionalLong field(String name) {
        try {
            for (String line : Files.readAllLines(status, StandardCharsets.ISO_8859_1)) {
                if (line.startsWith(name)) {
                    // "VmHWM:     1234 kB"
                    return OptionalLong.of(Long.parseLong(line.replaceAll("[^0-9]", "")) * 1024);
                }
            }
        } catch (IOException | NumberFormatException e) {
            return OptionalLong.empty();
        }
        return OptionalLong.empty();
    }
}
