package dev.kvasir.cache;

import dev.kvasir.InvalidInputException;
import java.util.Arrays;
import java.util.List;

/**
 * An option of a cache method.
 *
 * @param name as the paper names it
 * @param kind what its values are
 * @param defaultValue the value if none is given; {@code "@name"} takes that of another option
 * @param allowed every value allowed, or for numbers a description if they are not few
 * @param meaning one line
 */
public record CacheOption(String name, Kind kind, String defaultValue, List<String> allowed, String meaning) {
    private static final String RANGE = "[0-9]{1,9}(\\.\\.[0-9]{1,9})?";

    /** What values an option has. */
    public enum Kind {
        /** One of {@link #allowed}. */
        CHOICE,
        /** A whole number that the method checks. */
        NUMBER,
        /** A number with a decimal point or without that the method checks. */
        DECIMAL,
        /** Whole numbers joined by hyphens that the method checks. */
        NUMBERS,
        /** Ranges of token positions, {@code first..last} or one position, joined by plus signs; may be empty. */
        POSITIONS,
        /** The path of a file, which may be empty. */
        FILE,
        /** Another cache. */
        SPEC
    }

    /** An option that takes one of a few words or numbers. */
    public static CacheOption choice(String name, String defaultValue, String meaning, String... allowed) {
        return new CacheOption(name, Kind.CHOICE, defaultValue, List.of(allowed), meaning);
    }

    /** An option that is true or false. */
    public static CacheOption flag(String name, boolean defaultValue, String meaning) {
        return choice(name, Boolean.toString(defaultValue), meaning, "true", "false");
    }

    /** An option that takes a whole number of at least 0, of which {@code allowed} says more. */
    public static CacheOption number(String name, int defaultValue, String meaning, String allowed) {
        return new CacheOption(name, Kind.NUMBER, Integer.toString(defaultValue), List.of(allowed), meaning);
    }

    /** An option that takes a number of at least 0, of which {@code allowed} says more. */
    public static CacheOption decimal(String name, String defaultValue, String meaning, String allowed) {
        return new CacheOption(name, Kind.DECIMAL, defaultValue, List.of(allowed), meaning);
    }

    /** An option that takes a few whole numbers joined by hyphens, of which {@code allowed} says more. */
    public static CacheOption numbers(String name, String defaultValue, String meaning, String allowed) {
        return new CacheOption(name, Kind.NUMBERS, defaultValue, List.of(allowed), meaning);
    }

    /** An option that takes positions of tokens, by default none. */
    public static CacheOption positions(String name, String meaning, String allowed) {
        return new CacheOption(name, Kind.POSITIONS, "", List.of(allowed), meaning);
    }

    /** The option {@code file}: where the method's calibration is, by default the one that comes with the model. */
    public static CacheOption calibrationFile() {
        return new CacheOption(
                "file", Kind.FILE, "", List.of("a path"), "calibration; by default the one that comes with the model");
    }

    /** An option that names another cache, of which {@code allowed} says more. */
    public static CacheOption spec(String name, String defaultValue, String meaning, String allowed) {
        return new CacheOption(name, Kind.SPEC, defaultValue, List.of(allowed), meaning);
    }

    /** The values allowed, in words. */
    public String allowedText() {
        return String.join(", ", allowed);
    }

    /** Checks a value as far as it can be without the others. */
    void check(String method, String value) {
        boolean good = switch (kind) {
            case CHOICE -> allowed.contains(value);
            case NUMBER -> value.matches("[0-9]{1,9}");
            case DECIMAL -> value.matches("[0-9]{1,6}(\\.[0-9]{1,6})?");
            case NUMBERS -> value.matches("[0-9]{1,9}(-[0-9]{1,9}){0,15}");
            case POSITIONS ->
                value.isEmpty() || Arrays.stream(value.split("\\+", -1)).allMatch(range -> range.matches(RANGE));
            case FILE -> true;
            // Read, and checked against the registry, by whoever completes it.
            case SPEC -> true;
        };
        if (!good) {
            throw new InvalidInputException(
                    method + ": " + name + "=" + value + " is not possible, allowed: " + allowedText());
        }
    }
}
