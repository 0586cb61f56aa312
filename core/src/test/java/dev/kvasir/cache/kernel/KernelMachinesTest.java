package dev.kvasir.cache.kernel;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The kernels on other machines than this one, as far as a virtual machine can play them. */
class KernelMachinesTest {
    @ParameterizedTest
    @ValueSource(ints = {16, 32})
    void shorterVectorsGiveTheOraclesNumbers(int bytes) throws Exception {
        assertThat(probe("-XX:MaxVectorSize=" + bytes)).contains("lanes=" + Math.min(bytes / 4, Species.V));
    }

    @Test
    void theInterpreterGivesTheBitsOfCompiledCode() throws Exception {
        int compiled = 0;
        for (int i = 0; i < 200; i++) {
            compiled = KernelProbe.hash(true);
        }
        assertThat(probe("-Xint", "few")).contains("lanes=" + Species.V + " hash=" + compiled);
    }

    private static String probe(String option, String... arguments) throws IOException, InterruptedException {
        List<String> command = new ArrayList<>();
        command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
        command.add("--add-modules=jdk.incubator.vector");
        command.add(option);
        command.addAll(List.of("-cp", System.getProperty("java.class.path"), KernelProbe.class.getName()));
        command.addAll(List.of(arguments));
        Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
        String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertThat(process.waitFor()).as(output).isZero();
        return output;
    }
}
