package dev.kvasir.tokenizer;

import dev.kvasir.InvalidFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import tools.jackson.databind.JsonNode;

/**
 * How a tokenizer turns tokens into text, as far as streaming must know it.
 *
 * <p>Text can be streamed if no later token changes what earlier ones gave. That holds for the decoders admitted here; a
 * tokenizer with another one is refused when it is opened.
 */
enum TextDecoder {
    /** Tokens are spelled in the {@link ByteAlphabet}; their bytes together are UTF-8. */
    BYTES,
    /** Tokens become text one by one; only the first differs from the others. */
    PIECES,
    /** As {@link #PIECES}, but a run of tokens {@code <0x00>} to {@code <0xFF>} becomes text as a whole. */
    PIECES_WITH_BYTE_RUNS;

    /** The kind of the {@code decoder} part of {@code file}. */
    static TextDecoder of(Path file, JsonNode decoder) {
        List<JsonNode> steps = new ArrayList<>();
        flatten(file, decoder, steps, 0);
        if (steps.size() == 1 && type(steps.getFirst()).equals("ByteLevel")) {
            return BYTES;
        }
        boolean fused = false;
        boolean byteRuns = false;
        for (JsonNode step : steps) {
            String type = type(step);
            boolean streams = switch (type) {
                case "Fuse" -> true;
                case "ByteFallback", "Metaspace", "WordPiece", "Replace" -> !fused;
                case "Strip" -> !fused || step.path("stop").asInt(0) == 0;
                default -> false;
            };
            if (!streams) {
                throw new InvalidFileException(
                        file,
                        "decoder \"" + type + "\"" + (fused ? " after Fuse" : "") + " is not supported: known are"
                                + " ByteLevel alone, Metaspace, WordPiece, Replace, ByteFallback, Strip and Fuse");
            }
            fused |= type.equals("Fuse");
            byteRuns |= type.equals("ByteFallback");
        }
        return byteRuns ? PIECES_WITH_BYTE_RUNS : PIECES;
    }

    private static void flatten(Path file, JsonNode decoder, List<JsonNode> steps, int depth) {
        if (decoder.isNull()) {
            return;
        }
        if (!decoder.isObject() || depth > 8) {
            throw new InvalidFileException(file, "decoder must be an object that names its type");
        }
        if (type(decoder).equals("Sequence")) {
            decoder.path("decoders").forEach(inner -> flatten(file, inner, steps, depth + 1));
        } else {
            steps.add(decoder);
        }
    }

    private static String type(JsonNode decoder) {
        return decoder.path("type").asString("");
    }
}
