package dev.kvasir.lab.metric;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.OptionalLong;
import java.util.concurrent.locks.LockSupport;

/** Resident memory of this process as Linux counts it; elsewhere there is none to read. */
public final class ProcessMemory {
    /** {@code proc(5)}: 5 sets the peak resident set size to the current one. */
    private static final String RESET_PEAK = "5";

    private static final int SETTLE_ROUNDS = 10;
    private static final long SETTLE_NANOS = 50_000_000;
    private static final long STILL_SHRINKING_BYTES = 1 << 20;

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

    /**
     * Has the garbage collector give back what is not used and waits, half a second at most, until the resident set no
     * longer shrinks, so that a peak measured next is not that of earlier garbage.
     */
    public void settle() {
        OptionalLong before = residentBytes();
        if (before.isEmpty()) {
            return;
        }
        System.gc();
        for (int i = 0; i < SETTLE_ROUNDS; i++) {
            LockSupport.parkNanos(SETTLE_NANOS);
            OptionalLong now = residentBytes();
            if (i > 0 && now.orElse(0) > before.orElse(0) - STILL_SHRINKING_BYTES) {
                return;
            }
            before = now;
        }
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
