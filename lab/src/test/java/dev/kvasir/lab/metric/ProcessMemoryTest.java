package dev.kvasir.lab.metric;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;

class ProcessMemoryTest {
    @Test
    void readsTheHighWaterMarkInKibibytes(@TempDir Path folder) throws IOException {
        Path status =
                Files.writeString(folder.resolve("status"), "Name:\tjava\nVmHWM:\t    1234 kB\nVmRSS:\t     999 kB\n");
        ProcessMemory memory = new ProcessMemory(status, folder.resolve("none"));
        assertThat(memory.peakBytes()).hasValue(1234 * 1024);
        assertThat(memory.residentBytes()).hasValue(999 * 1024);
    }

    @Test
    void knowsNothingWhereThereIsNothingToRead(@TempDir Path folder) throws IOException {
        Path status = Files.writeString(folder.resolve("status"), "VmHWM: lots\n");
        assertThat(new ProcessMemory(folder.resolve("none"), status).peakBytes())
                .isEmpty();
        assertThat(new ProcessMemory(status, status).peakBytes()).isEmpty();
    }

    @Test
    void resetsByWritingFive(@TempDir Path folder) throws IOException {
        Path clearRefs = Files.createFile(folder.resolve("clear_refs"));
        assertThat(new ProcessMemory(folder, clearRefs).resetPeak()).isTrue();
        assertThat(clearRefs).hasContent("5");
        assertThat(new ProcessMemory(folder, folder.resolve("none")).resetPeak())
                .isFalse();
    }

    @Test
    @EnabledOnOs(OS.LINUX)
    void readsThisProcess() {
        assertThat(ProcessMemory.ofThisProcess().peakBytes().orElse(0)).isGreaterThan(1 << 20);
    }
}
