package dev.kvasir.format;

import dev.kvasir.InvalidFileException;
import dev.kvasir.model.Model;
import dev.kvasir.model.ModelConfig;
import dev.kvasir.model.Weights;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.stream.Stream;

/** A Hugging Face folder: {@code config.json}, {@code model.safetensors} or its sharded index, {@code tokenizer.json}. */
public final class ModelFolder {
    private ModelFolder() {}

    /**
     * Opens the model; weights stay memory-mapped as long as the model is reachable.
     *
     * <p>{@code config.json} may be of any family that {@link Family} names. Weights may be
     * F32, F16 or BF16, each tensor for itself. Tensors outside of the decoder are ignored.
     *
     * @throws InvalidFileException if anything is missing, malformed, unsupported, or of another shape than
     *     {@code config.json} says
     */
    public static Model open(Path folder) {
        requireModelFolder(folder);
        ModelConfig config = ConfigFile.read(folder);
        WeightFiles files = WeightFiles.open(folder);
        DecoderTensors tensors = new DecoderTensors(files, config, ConfigFile.family(folder));
        Weights weights = tensors.weights();
        tensors.requireNothingLeft();
        long bytes = tensors.used().stream()
                .mapToLong(name -> files.holding(name).info(name).bytes())
                .sum();
        String fingerprint = Fingerprint.of(config, files, tensors.used());
        return new Model(name(folder), config, weights, fingerprint, bytes, CalibrationFile.of(folder, fingerprint));
    }

    private static String name(Path folder) {
        Path name = folder.toAbsolutePath().normalize().getFileName();
        return name == null ? folder.toString() : name.toString();
    }

    private static void requireModelFolder(Path folder) {
        if (!Files.exists(folder)) {
            throw new InvalidFileException(folder, "there is no such folder");
        }
        if (!Files.isDirectory(folder)) {
            throw new InvalidFileException(folder, "is a file: give a GGUF file, or the folder that holds this one");
        }
        List<Path> files = list(folder);
        if (!Files.exists(folder.resolve(ConfigFile.CONFIG))) {
            String hint = files.stream()
                    .filter(ModelFolder::namedGguf)
                    .findFirst()
                    .map(file -> "; to run the GGUF file in it, name the file: " + file)
                    .orElse("");
            throw ConfigFile.missing(folder, hint);
        }
        if (!Files.exists(folder.resolve(WeightFiles.SINGLE)) && !Files.exists(folder.resolve(WeightFiles.INDEX))) {
            boolean pickled =
                    files.stream().anyMatch(f -> f.getFileName().toString().startsWith("pytorch_model"));
            throw new InvalidFileException(
                    folder,
                    WeightFiles.SINGLE + " and " + WeightFiles.INDEX + " are both missing"
                            + (pickled ? "; pytorch_model files must be converted to safetensors first" : ""));
        }
    }

    private static boolean namedGguf(Path file) {
        return file.getFileName().toString().toLowerCase(Locale.ROOT).endsWith(".gguf");
    }

    private static List<Path> list(Path folder) {
        try (Stream<Path> files = Files.list(folder)) {
            return files.toList();
        } catch (IOException e) {
            throw JsonFile.unreadable(folder, e);
        }
    }
}
