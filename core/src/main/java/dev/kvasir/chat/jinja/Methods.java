package dev.kvasir.chat.jinja;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/** Python's methods of texts, lists and mappings, those that change nothing. */
final class Methods {
    private static final Set<String> OF_TEXT = Set.of(
            "strip",
            "lstrip",
            "rstrip",
            "startswith",
            "endswith",
            "split",
            "rsplit",
            "splitlines",
            "upper",
            "lower",
            "title",
            "capitalize",
            "replace",
            "find",
            "rfind",
            "join",
            "count",
            "isdigit",
            "isalpha",
            "isspace",
            "removeprefix",
            "removesuffix");
    private static final Set<String> OF_MAP = Set.of("items", "keys", "values", "get");
    private static final Set<String> OF_LIST = Set.of("index", "count");

    private Methods() {}

    /** The method of that name of {@code value}. */
    static Optional<Function> of(Object value, String name, Budget budget) {
        return switch (value) {
            case String s
            when OF_TEXT.contains(name) ->
                Optional.of(
                        (line, places, names) -> text(s, name, new Given(line, name, places, names, budget), budget));
            case Map<?, ?> m
            when OF_MAP.contains(name) ->
                Optional.of((line, places, names) -> map(m, name, new Given(line, name, places, names, budget)));
            case List<?> l
            when OF_LIST.contains(name) ->
                Optional.of((line, places, names) -> list(l, name, new Given(line, name, places, names, budget)));
            default -> Optional.empty();
        };
    }

    private static Object text(String s, String name, Given given, Budget budget) {
        budget.make(s.length(), given.line());
        return switch (name) {
            case "strip" -> strip(s, given, true, true);
            case "lstrip" -> strip(s, given, true, false);
            case "rstrip" -> strip(s, given, false, true);
            case "startswith" -> edges(given).stream().anyMatch(s::startsWith);
            case "endswith" -> edges(given).stream().anyMatch(s::endsWith);
            case "split" -> split(s, given, false, budget);
            case "rsplit" -> split(s, given, true, budget);
            case "splitlines" ->
                new ArrayList<Object>(
                        s.lines().peek(line -> budget.hold(1, given.line())).toList());
            case "upper" -> s.toUpperCase(Locale.ROOT);
            case "lower" -> s.toLowerCase(Locale.ROOT);
            case "title" -> title(s);
            case "capitalize" -> capitalize(s);
            case "replace" -> replace(s, given.text(0), given.text(1), given.integer(2, "count", -1), given, budget);
            case "find" -> (long) s.indexOf(sought(s, given.text(0), given));
            case "rfind" -> (long) s.lastIndexOf(sought(s, given.text(0), given));
            case "join" -> join(s, Values.elements(given.required(0), given.line(), budget), given, budget);
            case "count" -> count(s, sought(s, given.text(0), given));
            case "isdigit" -> !s.isEmpty() && s.codePoints().allMatch(Character::isDigit);
            case "isalpha" -> !s.isEmpty() && s.codePoints().allMatch(Character::isLetter);
            case "isspace" -> s.isBlank() && !s.isEmpty();
            case "removeprefix" ->
                s.startsWith(given.text(0)) ? s.substring(given.text(0).length()) : s;
            case "removesuffix" ->
                s.endsWith(given.text(0))
                        ? s.substring(0, s.length() - given.text(0).length())
                        : s;
            default -> throw new IllegalArgumentException(name);
        };
    }

    /** The part, after taking the work of a search for it. */
    private static String sought(String s, String part, Given given) {
        given.budget().search(s, part, given.line());
        return part;
    }

    private static List<String> edges(Given given) {
        return given.required(0) instanceof List<?> several
                ? several.stream()
                        .map(edge -> Values.text(edge, given.line(), given.budget()))
                        .toList()
                : List.of(given.text(0));
    }

    static String strip(String s, Given given, boolean left, boolean right) {
        boolean blanks = !given.has(0) || given.required(0) == None.NONE;
        String chars = blanks ? "" : given.text(0);
        int from = 0;
        int to = s.length();
        while (left && from < to && stripped(s.charAt(from), blanks, chars)) {
            from++;
        }
        while (right && to > from && stripped(s.charAt(to - 1), blanks, chars)) {
            to--;
        }
        return s.substring(from, to);
    }

    private static boolean stripped(char c, boolean blanks, String chars) {
        // Python's blanks are Java's and the no-break spaces.
        return blanks ? Character.isWhitespace(c) || Character.isSpaceChar(c) || c == '\u0085' : chars.indexOf(c) >= 0;
    }

    private static List<Object> split(String s, Given given, boolean fromEnd, Budget budget) {
        int most = given.integer(1, "maxsplit", -1);
        Object separator = given.get(0, "sep", None.NONE);
        if (separator == None.NONE) {
            // At most every other character is a blank.
            budget.make(s.length(), given.line());
            String text = s.strip();
            return text.isEmpty()
                    ? new ArrayList<>()
                    : new ArrayList<>(List.of((Object[]) text.split("\\s+", most < 0 ? 0 : most + 1)));
        }
        String by = separator instanceof String text ? text : "";
        if (by.isEmpty()) {
            throw new TemplateException(given.line(), "split wants a text that is not empty");
        }
        budget.search(s, by, given.line());
        List<Object> parts = new ArrayList<>();
        int start = 0;
        int end = s.length();
        while (most < 0 || parts.size() < most) {
            budget.step(given.line());
            budget.hold(1, given.line());
            int found = fromEnd ? s.lastIndexOf(by, end - by.length()) : s.indexOf(by, start);
            if (found < 0 || (fromEnd && end < by.length())) {
                break;
            }
            if (fromEnd) {
                parts.addFirst(s.substring(found + by.length(), end));
                end = found;
            } else {
                parts.add(s.substring(start, found));
                start = found + by.length();
            }
        }
        if (fromEnd) {
            parts.addFirst(s.substring(0, end));
        } else {
            parts.add(s.substring(start));
        }
        return parts;
    }

    static String replace(String s, String from, String to, int most, Given given, Budget budget) {
        if (from.isEmpty()) {
            throw new TemplateException(given.line(), "replace wants a text that is not empty");
        }
        budget.search(s, from, given.line());
        StringBuilder out = new StringBuilder();
        int start = 0;
        for (int done = 0; most < 0 || done < most; done++) {
            int found = s.indexOf(from, start);
            if (found < 0) {
                break;
            }
            budget.make((long) found - start + to.length(), given.line());
            out.append(s, start, found).append(to);
            start = found + from.length();
        }
        return out.append(s, start, s.length()).toString();
    }

    static String join(String by, List<Object> elements, Given given, Budget budget) {
        StringBuilder out = new StringBuilder();
        for (int i = 0; i < elements.size(); i++) {
            String text = Values.text(elements.get(i), given.line(), budget);
            budget.make((long) text.length() + by.length(), given.line());
            out.append(i > 0 ? by : "").append(text);
        }
        return out.toString();
    }

    private static long count(String s, String part) {
        long count = 0;
        for (int at = s.indexOf(part); at >= 0 && !part.isEmpty(); at = s.indexOf(part, at + part.length())) {
            count++;
        }
        return count;
    }

    static String title(String s) {
        StringBuilder out = new StringBuilder();
        boolean first = true;
        for (int c : s.codePoints().toArray()) {
            out.appendCodePoint(first ? Character.toTitleCase(c) : Character.toLowerCase(c));
            first = !Character.isLetter(c);
        }
        return out.toString();
    }

    static String capitalize(String s) {
        if (s.isEmpty()) {
            return s;
        }
        int end = s.offsetByCodePoints(0, 1);
        return s.substring(0, end).toUpperCase(Locale.ROOT) + s.substring(end).toLowerCase(Locale.ROOT);
    }

    private static Object map(Map<?, ?> m, String name, Given given) {
        return switch (name) {
            case "items" -> items(m);
            case "keys" -> new ArrayList<Object>(m.keySet());
            case "values" -> new ArrayList<Object>(m.values());
            case "get" -> {
                Object key = given.required(0);
                Object found = key instanceof String ? m.get(key) : null;
                yield found != null ? found : given.get(1, "default", None.NONE);
            }
            default -> throw new IllegalArgumentException(name);
        };
    }

    /** Pairs of key and value. */
    static List<Object> items(Map<?, ?> m) {
        List<Object> items = new ArrayList<>();
        m.forEach((key, value) -> items.add(List.of(key, value)));
        return items;
    }

    private static Object list(List<?> l, String name, Given given) {
        Object wanted = given.required(0);
        if (name.equals("count")) {
            return l.stream()
                    .filter(e -> Values.equal(e, wanted, given.line(), given.budget()))
                    .count();
        }
        for (int i = 0; i < l.size(); i++) {
            if (Values.equal(l.get(i), wanted, given.line(), given.budget())) {
                return (long) i;
            }
        }
        throw new TemplateException(given.line(), "index found nothing in the list");
    }
}
