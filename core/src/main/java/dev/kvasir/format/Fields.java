package dev.kvasir.format;

import dev.kvasir.InvalidFileException;
import java.nio.file.Path;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import tools.jackson.databind.JsonNode;

/**
 * The fields of one JSON object, each fetched with the range it must lie in. A field that is {@code null} counts as absent,
 * as in Hugging Face's own reader.
 *
 * @param prefix what messages put before a field's name, e.g. {@code rope_scaling.}
 */
record Fields(Path file, String prefix, JsonNode node) {
    boolean has(String name) {
        return !absent(node.path(name));
    }

    OptionalInt integer(String name, int min, int max) {
        JsonNode value = node.path(name);
        return absent(value) ? OptionalInt.empty() : OptionalInt.of(toInt(name, value, min, max));
    }

    int requiredInteger(String name, int min, int max) {
        return integer(name, min, max).orElseThrow(() -> missing(name));
    }

    /** The value as an integer from {@code min} to {@code max}. */
    int toInt(String name, JsonNode value, int min, int max) {
        if (!value.isIntegralNumber() || !value.canConvertToInt() || value.intValue() < min || value.intValue() > max) {
            throw wrong(name, value, "an integer from " + min + " to " + max);
        }
        return value.intValue();
    }

    /** A number above 0 and at most {@code max}. */
    OptionalDouble positive(String name, double max) {
        JsonNode value = node.path(name);
        if (absent(value)) {
            return OptionalDouble.empty();
        }
        if (!value.isNumber() || !(value.doubleValue() > 0) || value.doubleValue() > max) {
            throw wrong(name, value, "a number above 0 and at most " + max);
        }
        return OptionalDouble.of(value.doubleValue());
    }

    double requiredPositive(String name, double max) {
        return positive(name, max).orElseThrow(() -> missing(name));
    }

    Optional<String> text(String name) {
        JsonNode value = node.path(name);
        if (absent(value)) {
            return Optional.empty();
        }
        if (!value.isString()) {
            throw wrong(name, value, "a text");
        }
        return Optional.of(value.stringValue());
    }

    boolean flag(String name, boolean otherwise) {
        JsonNode value = node.path(name);
        if (absent(value)) {
            return otherwise;
        }
        if (!value.isBoolean()) {
            throw wrong(name, value, "true or false");
        }
        return value.booleanValue();
    }

    /** The object under {@code name}, with fields of its own. */
    Optional<Fields> object(String name) {
        JsonNode value = node.path(name);
        if (absent(value)) {
            return Optional.empty();
        }
        if (!value.isObject()) {
            throw wrong(name, value, "an object");
        }
        return Optional.of(new Fields(file, prefix + name + ".", value));
    }

    InvalidFileException wrong(String name, JsonNode found, String allowed) {
        return problem(name, "must be " + allowed + ", found " + JsonFile.describe(found));
    }

    InvalidFileException problem(String name, String problem) {
        return new InvalidFileException(file, prefix + name + " " + problem);
    }

    private InvalidFileException missing(String name) {
        return problem(name, "is missing");
    }

    private static boolean absent(JsonNode value) {
        return value.isMissingNode() || value.isNull();
    }
}
