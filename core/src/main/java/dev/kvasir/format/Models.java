package dev.kvasir.format;

import dev.kvasir.InvalidFileException;
import dev.kvasir.model.Model;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;

/** Opens a model in whatever form it comes: a Hugging Face folder or a GGUF file. */
public final class Models {
    private Models() {}

    /**
     * Opens the model; weights stay memory-mapped as long as the model is reachable.
     *
     * @param path a folder, or a GGUF file
     * @throws InvalidFileException if anything is missing, malformed or unsupported
     */
    public static Model open(Path path) {
        return isGguf(path) ? GgufModel.open(path) : ModelFolder.open(path);
    }

    /** Whether {@code path} is a file that calls itself GGUF, by its name or its first bytes. */
    public static boolean isGguf(Path path) {
        if (!Files.isRegularFile(path)) {
            return false;
        }
        Path name = path.getFileName();
        if (name != null && name.toString().toLowerCase(Locale.ROOT).endsWith(".gguf")) {
            return true;
        }
        try (var in = Files.newInputStream(path)) {
            byte[] magic = in.readNBytes(4);
            return magic.length == 4 && magic[0] == 'G' && magic[1] == 'G' && magic[2] == 'U' && magic[3] == 'F';
        } catch (IOException e) {
            throw JsonFile.unreadable(path, e);
        }
    }
}
