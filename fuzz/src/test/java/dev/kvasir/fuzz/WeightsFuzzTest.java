package dev.kvasir.fuzz;

import com.code_intelligence.jazzer.junit.DictionaryFile;
import com.code_intelligence.jazzer.junit.FuzzTest;
import dev.kvasir.format.Models;
import dev.kvasir.format.TestFolders;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;

/** {@code model.safetensors} as a model's weights, with its lengths mended; the model then computes. */
class WeightsFuzzTest {
    private static final Path FOLDER = folder();

    private static Path folder() {
        try {
            Path folder = Hostile.folder();
            TestFolders.writeConfig(folder, FolderSeeds.SHAPE.config());
            return folder;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    @DictionaryFile(resourcePath = "model.dict")
    @FuzzTest
    void opens(byte[] bytes) {
        byte[] mended = Mending.safetensors(bytes);
        Hostile.check(mended.length, () -> read(mended));
    }

    static void read(byte[] bytes) {
        Hostile.write(FOLDER.resolve("model.safetensors"), bytes);
        Running.some(Models.open(FOLDER));
    }
}
