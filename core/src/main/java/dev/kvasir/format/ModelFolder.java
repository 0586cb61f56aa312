package dev.kvasir.format;

import dev.kvasir.model.Model;
import java.nio.file.Path;

/** A Hugging Face folder: {@code config.json}, {@code model.safetensors} or its sharded index, {@code tokenizer.json}. */
public final class ModelFolder {
    private ModelFolder() {}

    /** Opens the model; weights stay memory-mapped for the life of the process. */
    public static Model open(Path folder) {
        throw new UnsupportedOperationException();
    }
}
