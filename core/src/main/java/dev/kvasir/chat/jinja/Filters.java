package dev.kvasir.chat.jinja;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/** What may follow {@code |}. */
final class Filters {
    private static final String NAMES =
            "abs, capitalize, count, default, dictsort, first, float, indent, int, items, join,"
                    + " last, length, list, lower, map, max, min, reject, rejectattr, replace, reverse, round, safe, select,"
                    + " selectattr, sort, string, sum, title, tojson, trim, unique, upper";

    private final Budget budget;

    Filters(Budget budget) {
        this.budget = budget;
    }

    Object apply(Object value, String name, Given given) {
        budget.down(given.line());
        Object applied = applied(value, name, given);
        budget.up();
        return applied;
    }

    private Object applied(Object value, String name, Given given) {
        int line = given.line();
        budget.make(value instanceof String s ? s.length() : value instanceof List<?> l ? l.size() : 1, line);
        return switch (name) {
            case "trim" -> Methods.strip(Values.text(value, line, budget), given, true, true);
            case "length", "count" -> Values.length(value, line);
            case "tojson" -> json(value, given);
            case "default", "d" ->
                value instanceof Undefined || (Values.truth(given.get(1, "boolean", false)) && !Values.truth(value))
                        ? given.get(0, "default_value", "")
                        : value;
            case "join" ->
                Methods.join(
                        Values.text(given.get(0, "d", ""), line, budget),
                        attributes(Values.elements(value, line, budget), given, 1),
                        given,
                        budget);
            case "upper" -> Values.text(value, line, budget).toUpperCase(Locale.ROOT);
            case "lower" -> Values.text(value, line, budget).toLowerCase(Locale.ROOT);
            case "title" -> Methods.title(Values.text(value, line, budget));
            case "capitalize" -> Methods.capitalize(Values.text(value, line, budget));
            case "first" -> end(Values.elements(value, line, budget), true);
            case "last" -> end(Values.elements(value, line, budget), false);
            case "list" -> Values.elements(value, line, budget);
            case "string" -> Values.text(value, line, budget);
            case "safe" -> value;
            case "int" -> integer(value, given);
            case "float" -> decimal(value, given);
            case "abs", "round" -> rounded(value, name, given);
            case "replace" ->
                Methods.replace(
                        Values.text(value, line, budget),
                        given.text(0),
                        given.text(1),
                        given.integer(2, "count", -1),
                        given,
                        budget);
            case "items" -> value instanceof Map<?, ?> m ? Methods.items(m) : Values.elements(value, line, budget);
            case "dictsort" ->
                value instanceof Map<?, ?> m ? sorted(Methods.items(m), false, line) : wrong(value, given, "a mapping");
            case "sort" -> sortedBy(Values.elements(value, line, budget), given);
            case "reverse" ->
                value instanceof String s
                        ? new StringBuilder(s).reverse().toString()
                        : Values.elements(value, line, budget).reversed();
            case "unique" -> unique(Values.elements(value, line, budget), line);
            case "indent" -> indent(Values.text(value, line, budget), given);
            case "map" -> map(Values.elements(value, line, budget), given);
            case "select", "reject" -> select(Values.elements(value, line, budget), given, 0, name.equals("select"));
            case "selectattr", "rejectattr" ->
                select(Values.elements(value, line, budget), given, 1, name.equals("selectattr"));
            case "min", "max" -> extreme(Values.elements(value, line, budget), name.equals("min"), line);
            case "sum" -> sum(Values.elements(value, line, budget), given);
            default -> throw new TemplateException(line, "no filter is called \"" + name + "\": known are " + NAMES);
        };
    }

    private static Object wrong(Object value, Given given, String wanted) {
        throw new TemplateException(given.line(), given.what() + " wants " + wanted + ", found " + Values.type(value));
    }

    private String json(Object value, Given given) {
        Object indent = given.get(0, "indent", None.NONE);
        int spaces = indent == None.NONE ? -1 : given.integer(0, "indent", -1);
        if (spaces > 16) {
            throw new TemplateException(given.line(), "tojson wants an indent of at most 16, found " + spaces);
        }
        boolean ascii = Values.truth(given.get(-1, "ensure_ascii", false));
        return Json.of(value, spaces, ascii, given.line(), budget);
    }

    private static Object end(List<Object> elements, boolean first) {
        if (elements.isEmpty()) {
            return new Undefined("the " + (first ? "first" : "last") + " of an empty list");
        }
        return first ? elements.getFirst() : elements.getLast();
    }

    private static Object integer(Object value, Given given) {
        try {
            return switch (value) {
                case Long n -> n;
                case Boolean b -> b ? 1L : 0L;
                case Double d -> (long) d.doubleValue();
                case String s -> (long) Double.parseDouble(s.strip());
                default -> given.get(0, "default", 0L);
            };
        } catch (NumberFormatException e) {
            return given.get(0, "default", 0L);
        }
    }

    private static Object decimal(Object value, Given given) {
        try {
            return Values.isNumber(value)
                    ? Values.number(value)
                    : Double.parseDouble(
                            Values.text(value, given.line(), given.budget()).strip());
        } catch (NumberFormatException e) {
            return given.get(0, "default", 0.0);
        }
    }

    private static Object rounded(Object value, String name, Given given) {
        if (!Values.isNumber(value)) {
            return wrong(value, given, "a number");
        }
        if (name.equals("abs")) {
            return Values.isInteger(value)
                    ? (Object) Math.abs(Values.integer(value))
                    : (Object) Math.abs(Values.number(value));
        }
        double scale = Math.pow(10, Math.clamp(given.integer(0, "precision", 0), 0, 15));
        return Math.rint(Values.number(value) * scale) / scale;
    }

    private List<Object> sorted(List<Object> elements, boolean descending, int line) {
        List<Object> sorted = new ArrayList<>(elements);
        Comparator<Object> order = (a, b) -> {
            budget.step(line);
            return a instanceof String x && b instanceof String y
                    ? x.compareToIgnoreCase(y)
                    : Values.compare(a, b, line, budget);
        };
        sorted.sort(descending ? order.reversed() : order);
        return sorted;
    }

    private List<Object> sortedBy(List<Object> elements, Given given) {
        boolean descending = Values.truth(given.get(0, "reverse", false));
        if (!(given.get(2, "attribute", None.NONE) instanceof String attribute)) {
            return sorted(elements, descending, given.line());
        }
        List<Object> sorted = new ArrayList<>(elements);
        Comparator<Object> order =
                (a, b) -> Values.compare(attribute(a, attribute), attribute(b, attribute), given.line(), budget);
        sorted.sort(descending ? order.reversed() : order);
        return sorted;
    }

    private static Object attribute(Object of, String name) {
        Object found = of instanceof Map<?, ?> m ? m.get(name) : null;
        return found == null ? new Undefined(name) : found;
    }

    private static List<Object> attributes(List<Object> elements, Given given, int place) {
        return given.get(place, "attribute", None.NONE) instanceof String name
                ? elements.stream().map(e -> attribute(e, name)).toList()
                : elements;
    }

    private List<Object> unique(List<Object> elements, int line) {
        List<Object> unique = new ArrayList<>();
        for (Object element : elements) {
            budget.make(unique.size(), line);
            if (unique.stream().noneMatch(u -> Values.equal(u, element, line, budget))) {
                unique.add(element);
            }
        }
        return unique;
    }

    private String indent(String text, Given given) {
        int width = given.integer(0, "width", 4);
        if (width < 0 || width > 64) {
            throw new TemplateException(given.line(), "indent wants a width from 0 to 64, found " + width);
        }
        boolean first = Values.truth(given.get(1, "first", false));
        String spaces = " ".repeat(width);
        StringBuilder out = new StringBuilder();
        long breaks = text.chars().filter(c -> c == '\n').count();
        budget.make(width * breaks, given.line());
        budget.hold(breaks, given.line());
        String[] lines = text.split("\n", -1);
        for (int i = 0; i < lines.length; i++) {
            out.append(i > 0 ? "\n" : "");
            out.append((i > 0 || first) && !lines[i].isEmpty() ? spaces : "").append(lines[i]);
        }
        return out.toString();
    }

    private List<Object> map(List<Object> elements, Given given) {
        if (given.names().get("attribute") instanceof String name) {
            return elements.stream()
                    .map(e -> attribute(e, name))
                    .map(v -> v instanceof Undefined ? given.names().getOrDefault("default", v) : v)
                    .toList();
        }
        String filter = given.text(0);
        Given rest = new Given(
                given.line(), filter, given.places().subList(1, given.places().size()), given.names(), budget);
        List<Object> mapped = new ArrayList<>();
        elements.forEach(e -> mapped.add(apply(e, filter, rest)));
        return mapped;
    }

    /** {@code from} arguments are before the test's name: none, or the attribute that is tested. */
    private List<Object> select(List<Object> elements, Given given, int from, boolean wanted) {
        List<Object> places = given.places();
        String test = places.size() > from ? given.text(from) : "";
        List<Object> rest = places.size() > from ? places.subList(from + 1, places.size()) : List.of();
        Given arguments = new Given(given.line(), test, rest, given.names(), budget);
        List<Object> selected = new ArrayList<>();
        for (Object element : elements) {
            budget.step(given.line());
            Object value = from == 0 ? element : attribute(element, given.text(0));
            boolean holds = test.isEmpty() ? Values.truth(value) : Tests.test(value, test, arguments);
            if (holds == wanted) {
                selected.add(element);
            }
        }
        return selected;
    }

    private Object extreme(List<Object> elements, boolean least, int line) {
        if (elements.isEmpty()) {
            return new Undefined("the extreme of an empty list");
        }
        Object best = elements.getFirst();
        for (Object element : elements) {
            int order = Values.compare(element, best, line, budget);
            best = (least ? order < 0 : order > 0) ? element : best;
        }
        return best;
    }

    private static Object sum(List<Object> elements, Given given) {
        Object sum = 0L;
        for (Object element : attributes(elements, given, 0)) {
            sum = Arithmetic.apply("+", sum, element, given.line());
        }
        return sum;
    }
}
