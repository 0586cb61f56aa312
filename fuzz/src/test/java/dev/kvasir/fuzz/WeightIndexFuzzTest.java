package dev.kvasir.fuzz;

import com.code_intelligence.jazzer.junit.DictionaryFile;
import com.code_intelligence.jazzer.junit.FuzzTest;
import dev.kvasir.format.Models;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;

/** {@code model.safetensors.index.json} beside two weight files. */
class WeightIndexFuzzTest {
    private static final Path FOLDER = folder();

    private static Path folder() {
        try {
            Path folder = Hostile.folder();
            FolderSeeds.SHAPE.writeSharded(folder);
            return folder;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    @DictionaryFile(resourcePath = "model.dict")
    @FuzzTest
    void opens(byte[] json) {
        Hostile.check(json.length, () -> read(json));
    }

    static void read(byte[] json) {
        Hostile.write(FOLDER.resolve("model.safetensors.index.json"), json);
        Running.some(Models.open(FOLDER));
    }
}
