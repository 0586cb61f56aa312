package dev.kvasir.cli.option;

import dev.kvasir.KvasirException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import picocli.CommandLine.Option;

/** Which model: a Hugging Face folder, or the one that comes with Kvasir. */
public final class ModelOption {
    private static final Path SHIPPED = Path.of("models", "kvasir-tiny");

    @Option(
            names = {"-m", "--model"},
            paramLabel = "PATH",
            description =
                    "Hugging Face folder of a Llama-family model, or a GGUF file. Default: the shipped kvasir-tiny.")
    private Optional<Path> folder = Optional.empty();

    /**
     * The folder.
     *
     * @throws KvasirException if none is named and the shipped one is not there
     */
    public Path folder() {
        return folder.orElseGet(ModelOption::shipped);
    }

    private static Path shipped() {
        Path shipped = Path.of(System.getProperty("kvasir.home", "")).resolve(SHIPPED);
        if (!Files.isDirectory(shipped)) {
            throw new KvasirException(
                    "the shipped model is not at " + shipped.toAbsolutePath() + ": name another with --model DIR");
        }
        return shipped;
    }
}
