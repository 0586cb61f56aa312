package dev.kvasir.format;

import dev.kvasir.InvalidFileException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import tools.jackson.core.JacksonException;
import tools.jackson.core.StreamReadConstraints;
import tools.jackson.core.StreamReadFeature;
import tools.jackson.core.TokenStreamLocation;
import tools.jackson.core.json.JsonFactory;
import tools.jackson.databind.DeserializationFeature;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * Reads JSON that nobody vouches for: its size and depth are bounded and no key may come twice.
 *
 * <p>Every failure is an {@link InvalidFileException} that names the file.
 */
public final class JsonFile {
    /** Parser of the project's JSON files, for readers that walk the tokens themselves. */
    public static final JsonMapper MAPPER = JsonMapper.builder(JsonFactory.builder()
                    .streamReadConstraints(StreamReadConstraints.builder()
                            .maxNestingDepth(64)
                            .maxNumberLength(64)
                            .build())
                    .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
                    .build())
            .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
            .build();

    private JsonFile() {}

    /** The object in {@code file}, which may have at most {@code maxBytes} bytes. */
    public static JsonNode readObject(Path file, long maxBytes) {
        return parseObject(file, "file", readBytes(file, maxBytes));
    }

    /** All bytes of a regular file of at most {@code maxBytes}. */
    public static byte[] readBytes(Path file, long maxBytes) {
        if (!Files.isRegularFile(file)) {
            throw new InvalidFileException(file, Files.exists(file) ? "is not a file" : "there is no such file");
        }
        try {
            long size = Files.size(file);
            if (size > maxBytes) {
                throw new InvalidFileException(file, "has " + size + " bytes, at most " + maxBytes + " are allowed");
            }
            return Files.readAllBytes(file);
        } catch (IOException e) {
            throw unreadable(file, e);
        }
    }

    /** The object that {@code json}, the part {@code what} of {@code file}, holds. */
    static JsonNode parseObject(Path file, String what, byte[] json) {
        JsonNode node;
        try {
            node = MAPPER.readTree(json);
        } catch (JacksonException e) {
            throw malformed(file, what, e);
        }
        if (!node.isObject()) {
            throw new InvalidFileException(file, what + " must hold a JSON object, found " + describe(node));
        }
        return node;
    }

    /** The one-line error for JSON that does not parse. */
    public static InvalidFileException malformed(Path file, String what, JacksonException e) {
        TokenStreamLocation at = e.getLocation();
        String where = at == null ? "" : " at line " + at.getLineNr() + ", column " + at.getColumnNr();
        String problem = e.getOriginalMessage() == null ? "unreadable" : e.getOriginalMessage();
        return new InvalidFileException(
                file,
                what + " is not valid JSON" + where + ": "
                        + problem.lines().findFirst().orElse(""),
                e);
    }

    /** The one-line error for a file that the system does not let us read. */
    static InvalidFileException unreadable(Path file, IOException e) {
        return new InvalidFileException(file, "cannot be read: " + e.getMessage(), e);
    }

    /** What a message shows of a value: at most 60 characters on one line. */
    public static String describe(JsonNode node) {
        if (node.isMissingNode()) {
            return "nothing";
        }
        String text = node.isContainer()
                ? (node.isObject() ? "an object" : "a list") + " of " + node.size()
                : node.toString();
        return text.length() <= 60 ? text : text.substring(0, 60) + "...";
    }
}
