package dev.kvasir.fuzz;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledIfSystemProperty;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.FieldSource;

/** Seeds are valid files of the format they are seeds of: what is refused at once would lead a fuzzer nowhere. */
class SeedsTest {
    /** From the module's folder, where tests run. */
    private static final Path RESOURCES = Path.of("src/test/resources/dev/kvasir/fuzz");

    private static final String PREFIX = "seed-";

    /** Every target. */
    static final List<Target> TARGETS = List.of(
            new Target(GgufFileFuzzTest.class, GgufSeeds::some, GgufFileFuzzTest::read),
            new Target(GgufModelFuzzTest.class, GgufSeeds::models, GgufModelFuzzTest::read),
            new Target(GgufTokenizerFuzzTest.class, GgufSeeds::tokenizers, GgufTokenizerFuzzTest::read),
            new Target(SafetensorsFuzzTest.class, FolderSeeds::weights, SafetensorsFuzzTest::read),
            new Target(WeightsFuzzTest.class, FolderSeeds::weights, WeightsFuzzTest::read),
            new Target(WeightIndexFuzzTest.class, FolderSeeds::index, WeightIndexFuzzTest::read),
            new Target(ConfigFuzzTest.class, FolderSeeds::configs, ConfigFuzzTest::read),
            new Target(TokenizerJsonFuzzTest.class, FolderSeeds::tokenizers, TokenizerJsonFuzzTest::read),
            new Target(ChatTemplateFuzzTest.class, TemplateSeeds::templates, ChatTemplateFuzzTest::read),
            new Target(TokenizerConfigFuzzTest.class, TemplateSeeds::configs, TokenizerConfigFuzzTest::read),
            new Target(CalibrationFuzzTest.class, CacheSeeds::calibrations, CalibrationFuzzTest::read),
            new Target(SavedCacheFuzzTest.class, CacheSeeds::saved, SavedCacheFuzzTest::read),
            new Target(CacheSpecFuzzTest.class, CacheSeeds::specs, CacheSpecFuzzTest::read));

    /** A fuzz test, how its seeds are made and how its reader reads one. */
    record Target(Class<?> test, Making making, Reading reading) {
        private Path folder() {
            return RESOURCES.resolve(test.getSimpleName() + "Inputs");
        }

        private List<Path> seeds() throws IOException {
            try (var files = Files.list(folder())) {
                return files.filter(file -> file.getFileName().toString().startsWith(PREFIX))
                        .sorted()
                        .toList();
            }
        }
    }

    /** Makes seeds by their names. */
    interface Making {
        Map<String, byte[]> make() throws IOException;
    }

    /** Reads a seed, or refuses it by an exception. */
    interface Reading {
        void read(byte[] bytes) throws IOException;
    }

    @ParameterizedTest
    @FieldSource("TARGETS")
    void isReadByItsReader(Target target) throws IOException {
        assertThat(target.seeds()).isNotEmpty();
        for (Path seed : target.seeds()) {
            byte[] bytes = Files.readAllBytes(seed);
            assertThatCode(() -> target.reading().read(bytes))
                    .as(seed.toString())
                    .doesNotThrowAnyException();
        }
    }

    @ParameterizedTest
    @FieldSource("TARGETS")
    @EnabledIfSystemProperty(named = "fuzz.seeds", matches = "true", disabledReason = "scripts/fuzz --seeds does this")
    void isWrittenAnew(Target target) throws IOException {
        Files.createDirectories(target.folder());
        for (Path old : target.seeds()) {
            Files.delete(old);
        }
        for (var seed : target.making().make().entrySet()) {
            Files.write(target.folder().resolve(PREFIX + seed.getKey()), seed.getValue());
        }
    }

    @Test
    void theCorpusStaysSmall() throws IOException {
        List<Path> all = new ArrayList<>();
        try (var files = Files.walk(RESOURCES)) {
            files.filter(Files::isRegularFile).forEach(all::add);
        }
        long bytes = 0;
        for (Path file : all) {
            bytes += Files.size(file);
        }
        assertThat(bytes).isLessThan(1 << 20);
    }
}
