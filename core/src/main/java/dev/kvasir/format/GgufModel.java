package dev.kvasir.format;

import dev.kvasir.InvalidFileException;
import dev.kvasir.InvalidInputException;
import dev.kvasir.format.gguf.GgufFile;
import dev.kvasir.format.gguf.GgufTensor;
import dev.kvasir.model.Model;
import dev.kvasir.model.ModelConfig;
import dev.kvasir.model.Weights;
import java.nio.file.Path;
import java.util.List;

/** A model in a GGUF file. */
public final class GgufModel {
    private GgufModel() {}

    /**
     * Opens the model; weights stay memory-mapped as long as the model is reachable.
     *
     * @throws InvalidFileException if anything is missing, malformed or unsupported
     */
    public static Model open(Path path) {
        return of(GgufFile.open(path));
    }

    /** The model in an open file. Throws as {@link #open}. */
    public static Model of(GgufFile file) {
        ModelConfig config = GgufConfig.read(file);
        GgufWeights tensors = new GgufWeights(file);
        Weights weights = tensors.weights(config);
        tensors.requireNothingLeft(config);
        List<GgufTensor> used = tensors.used();
        long bytes = used.stream().mapToLong(GgufTensor::bytes).sum();
        String fingerprint = Fingerprint.of(
                config,
                used.stream()
                        .map(tensor -> new Fingerprint.Part(
                                tensor.name(), tensor.type() + " " + tensor.shapeText(), file.bytes(tensor)))
                        .toList());
        try {
            return new Model(name(file.path()), config, weights, fingerprint, bytes);
        } catch (InvalidInputException e) {
            throw new InvalidFileException(file.path(), "weights do not fit together: " + e.getMessage(), e);
        }
    }

    private static String name(Path path) {
        Path name = path.getFileName();
        String text = name == null ? path.toString() : name.toString();
        return text.endsWith(".gguf") ? text.substring(0, text.length() - ".gguf".length()) : text;
    }
}
