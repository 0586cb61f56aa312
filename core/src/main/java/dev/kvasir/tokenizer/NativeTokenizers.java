package dev.kvasir.tokenizer;

import ai.djl.engine.EngineException;
import ai.djl.huggingface.tokenizers.HuggingFaceTokenizer;
import dev.kvasir.InvalidFileException;
import dev.kvasir.KvasirException;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.util.Map;

/**
 * Opens tokenizers of the DJL library, quietly and without a network.
 *
 * <p>The library unpacks its native part (about 14 MB, once for each version) below {@code ~/.djl.ai/tokenizers}, or below
 * the folder that the environment variable or system property {@code ENGINE_CACHE_DIR} or {@code DJL_CACHE_DIR} names, or
 * below {@code java.io.tmpdir} where the home folder cannot be written. {@code RUST_LIBRARY_PATH} names an unpacked one.
 *
 * <p>Left to itself it also reports its use to its makers and looks for a CUDA build to download. Both are switched off here
 * by system properties of its own, unless they are set already: {@code OPT_OUT_TRACKING} and {@code RUST_FLAVOR}. {@code
 * slf4j.internal.verbosity} silences the note that no logger is bound.
 */
final class NativeTokenizers {
    private static final Map<String, String> SETTINGS =
            Map.of("OPT_OUT_TRACKING", "true", "RUST_FLAVOR", "cpu", "slf4j.internal.verbosity", "ERROR");

    /** The text is taken as it is: nothing cut off, filled up, or put before and after. */
    private static final Map<String, String> OPTIONS =
            Map.of("truncation", "false", "padding", "false", "addSpecialTokens", "false");

    private NativeTokenizers() {}

    static HuggingFaceTokenizer open(TokenizerFile file) {
        SETTINGS.forEach((name, value) -> {
            if (System.getProperty(name) == null) {
                System.setProperty(name, value);
            }
        });
        try (var in = new ByteArrayInputStream(file.json())) {
            return HuggingFaceTokenizer.newInstance(in, OPTIONS);
        } catch (EngineException | LinkageError e) {
            throw new KvasirException("the native tokenizer library cannot be loaded: " + oneLine(e), e);
        } catch (IOException | RuntimeException e) {
            throw new InvalidFileException(file.path(), "is not a usable tokenizer: " + oneLine(e), e);
        }
    }

    /** The first line of an error's message. */
    static String oneLine(Throwable e) {
        String message = e.getMessage();
        return message == null
                ? e.getClass().getSimpleName()
                : message.lines().findFirst().orElse("");
    }
}
