package dev.kvasir.chat.jinja;

import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;

/** What may follow {@code is}. */
final class Tests {
    static final Set<String> NAMES = Set.of(
            "defined",
            "undefined",
            "none",
            "string",
            "number",
            "integer",
            "float",
            "boolean",
            "true",
            "false",
            "mapping",
            "iterable",
            "sequence",
            "callable",
            "odd",
            "even",
            "divisibleby",
            "equalto",
            "eq",
            "ne",
            "lt",
            "lessthan",
            "le",
            "gt",
            "greaterthan",
            "ge",
            "in",
            "sameas",
            "lower",
            "upper");

    private Tests() {}

    static boolean test(Object value, String name, Given given) {
        return switch (name) {
            case "defined" -> !(value instanceof Undefined);
            case "undefined" -> value instanceof Undefined;
            case "none" -> value == None.NONE;
            case "string" -> value instanceof String;
            case "number" -> Values.isNumber(value);
            case "integer" -> value instanceof Long;
            case "float" -> value instanceof Double;
            case "boolean" -> value instanceof Boolean;
            case "true" -> value.equals(true);
            case "false" -> value.equals(false);
            case "mapping" -> value instanceof Map<?, ?>;
            case "iterable", "sequence" ->
                value instanceof List<?>
                        || value instanceof Map<?, ?>
                        || value instanceof String
                        || value instanceof Undefined;
            case "callable" -> value instanceof Function;
            case "odd" -> remainder(value, 2, given) == 1;
            case "even" -> remainder(value, 2, given) == 0;
            case "divisibleby" -> remainder(value, given.integer(0, "num", 1), given) == 0;
            case "equalto", "eq" -> Values.equal(value, given.required(0), given.line(), given.budget());
            case "ne" -> !Values.equal(value, given.required(0), given.line(), given.budget());
            case "lt", "lessthan" -> Values.compare(value, given.required(0), given.line(), given.budget()) < 0;
            case "le" -> Values.compare(value, given.required(0), given.line(), given.budget()) <= 0;
            case "gt", "greaterthan" -> Values.compare(value, given.required(0), given.line(), given.budget()) > 0;
            case "ge" -> Values.compare(value, given.required(0), given.line(), given.budget()) >= 0;
            case "in" -> Values.contains(given.required(0), value, given.line(), given.budget());
            case "sameas" ->
                value.getClass() == given.required(0).getClass()
                        && Values.equal(value, given.required(0), given.line(), given.budget());
            case "lower" -> text(value, given).equals(text(value, given).toLowerCase(Locale.ROOT));
            case "upper" -> text(value, given).equals(text(value, given).toUpperCase(Locale.ROOT));
            default ->
                throw new TemplateException(
                        given.line(),
                        "no test is called \"" + name + "\": known are "
                                + String.join(", ", NAMES.stream().sorted().toList()));
        };
    }

    private static String text(Object value, Given given) {
        String text = Values.text(value, given.line(), given.budget());
        given.budget().make(text.length(), given.line());
        return text;
    }

    private static long remainder(Object value, int by, Given given) {
        if (!Values.isInteger(value) || by == 0) {
            throw new TemplateException(given.line(), given.what() + " wants integers, found " + Values.type(value));
        }
        return Math.floorMod(Values.integer(value), (long) by);
    }
}
