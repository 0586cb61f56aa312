package dev.kvasir.fuzz;

import com.code_intelligence.jazzer.junit.DictionaryFile;
import com.code_intelligence.jazzer.junit.FuzzTest;
import dev.kvasir.format.FamilyFolder;
import dev.kvasir.format.Models;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * {@code config.json}, up to the first zero byte of the input, and {@code generation_config.json}, what follows it. The
 * weights beside them are those of the family the configuration names.
 */
class ConfigFuzzTest {
    private static final Map<String, Path> FOLDERS = folders();

    private static Map<String, Path> folders() {
        Map<String, Path> folders = new LinkedHashMap<>();
        FolderSeeds.FAMILIES.forEach((type, fields) -> {
            try {
                folders.put('"' + type + '"', FamilyFolder.of(fields, 2).write(Hostile.folder()));
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        });
        return folders;
    }

    @DictionaryFile(resourcePath = "model.dict")
    @FuzzTest
    void opens(byte[] bytes) {
        Hostile.check(FolderSeeds.WEIGHT_BYTES + bytes.length, () -> read(bytes));
    }

    static void read(byte[] bytes) {
        int end = 0;
        while (end < bytes.length && bytes[end] != 0) {
            end++;
        }
        byte[] config = Arrays.copyOf(bytes, end);
        String text = new String(config, StandardCharsets.ISO_8859_1);
        Path folder = FOLDERS.entrySet().stream()
                .filter(entry -> text.contains(entry.getKey()))
                .findFirst()
                .orElseGet(() -> FOLDERS.entrySet().iterator().next())
                .getValue();
        Hostile.write(folder.resolve("config.json"), config);
        byte[] generation =
                end < bytes.length ? Arrays.copyOfRange(bytes, end + 1, bytes.length) : new byte[] {'{', '}'};
        Hostile.write(folder.resolve("generation_config.json"), generation);
        Running.some(Models.open(folder));
    }
}
