package dev.kvasir.chat.jinja;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/**
 * What values mean, as in Python. A value is a String, Long, Double, Boolean, List, Map with String keys, {@link None},
 * {@link Undefined}, {@link Namespace} or {@link Function}; nothing else can come into a template.
 */
final class Values {
    private Values() {}

    static boolean truth(Object value) {
        return switch (value) {
            case Boolean b -> b;
            case String s -> !s.isEmpty();
            case Long n -> n != 0;
            case Double d -> d != 0;
            case List<?> l -> !l.isEmpty();
            case Map<?, ?> m -> !m.isEmpty();
            case None n -> false;
            case Undefined u -> false;
            default -> true;
        };
    }

    static boolean isNumber(Object value) {
        return value instanceof Long || value instanceof Double || value instanceof Boolean;
    }

    static double number(Object value) {
        return value instanceof Boolean b ? (b ? 1 : 0) : ((Number) value).doubleValue();
    }

    /** Whole numbers: integers and truth values. */
    static boolean isInteger(Object value) {
        return value instanceof Long || value instanceof Boolean;
    }

    static long integer(Object value) {
        return value instanceof Boolean b ? (b ? 1 : 0) : (Long) value;
    }

    static boolean equal(Object a, Object b, int line, Budget budget) {
        if (isNumber(a) && isNumber(b)) {
            return (isInteger(a) && isInteger(b)) ? integer(a) == integer(b) : number(a) == number(b);
        }
        if (a instanceof String x && b instanceof String y) {
            budget.search(x, "", line);
            return x.equals(y);
        }
        budget.down(line);
        boolean equal;
        if (a instanceof List<?> x && b instanceof List<?> y) {
            equal = x.size() == y.size();
            for (int i = 0; equal && i < x.size(); i++) {
                equal = equal(x.get(i), y.get(i), line, budget);
            }
        } else if (a instanceof Map<?, ?> x && b instanceof Map<?, ?> y) {
            equal = x.size() == y.size()
                    && x.entrySet().stream()
                            .allMatch(e ->
                                    y.containsKey(e.getKey()) && equal(e.getValue(), y.get(e.getKey()), line, budget));
        } else {
            equal = a instanceof Undefined ? b instanceof Undefined : a.equals(b);
        }
        budget.up();
        return equal;
    }

    /** Below 0, 0 or above 0 as {@code a} is below, at or above {@code b}. */
    static int compare(Object a, Object b, int line, Budget budget) {
        if (isNumber(a) && isNumber(b)) {
            return isInteger(a) && isInteger(b)
                    ? Long.compare(integer(a), integer(b))
                    : Double.compare(number(a), number(b));
        }
        if (a instanceof String x && b instanceof String y) {
            budget.search(x, "", line);
            return x.compareTo(y);
        }
        if (a instanceof List<?> x && b instanceof List<?> y) {
            budget.down(line);
            int order = 0;
            for (int i = 0; order == 0 && i < Math.min(x.size(), y.size()); i++) {
                boolean same = equal(x.get(i), y.get(i), line, budget);
                order = same ? 0 : compare(x.get(i), y.get(i), line, budget);
            }
            budget.up();
            return order != 0 ? order : Integer.compare(x.size(), y.size());
        }
        throw new TemplateException(line, "cannot compare " + type(a) + " with " + type(b));
    }

    /** The elements that a {@code for} meets. */
    static List<Object> elements(Object value, int line, Budget budget) {
        budget.hold(length(value, line), line);
        return switch (value) {
            case List<?> l -> new ArrayList<>(l);
            case Map<?, ?> m -> new ArrayList<>(m.keySet());
            case String s ->
                s.codePoints().mapToObj(c -> (Object) Character.toString(c)).toList();
            default -> List.of();
        };
    }

    static long length(Object value, int line) {
        return switch (value) {
            case List<?> l -> l.size();
            case Map<?, ?> m -> m.size();
            case String s -> s.codePointCount(0, s.length());
            case Undefined u -> 0;
            default -> throw new TemplateException(line, type(value) + " has no elements");
        };
    }

    static boolean contains(Object in, Object value, int line, Budget budget) {
        return switch (in) {
            case List<?> l -> l.stream().anyMatch(e -> equal(e, value, line, budget));
            // Keys are texts; to look for a list would take its hash, of whatever depth it is.
            case Map<?, ?> m -> value instanceof String && m.containsKey(value);
            case String s
            when value instanceof String part -> {
                budget.search(s, part, line);
                yield s.contains(part);
            }
            case Undefined u -> false;
            default -> throw new TemplateException(line, "cannot look for " + type(value) + " in " + type(in));
        };
    }

    /** As {@code str()} gives it. */
    static String text(Object value, int line, Budget budget) {
        return switch (value) {
            case String s -> s;
            case Undefined u -> "";
            default -> {
                StringBuilder out = new StringBuilder();
                literal(value, out, line, budget);
                yield out.toString();
            }
        };
    }

    /** As {@code repr()} gives it. A list may hold another many times, so every character is taken from the budget. */
    private static void literal(Object value, StringBuilder out, int line, Budget budget) {
        budget.down(line);
        switch (value) {
            case String s -> add(quoted(s), out, line, budget);
            case List<?> l -> {
                add("[", out, line, budget);
                for (int i = 0; i < l.size(); i++) {
                    add(i > 0 ? ", " : "", out, line, budget);
                    literal(l.get(i), out, line, budget);
                }
                add("]", out, line, budget);
            }
            case Map<?, ?> m -> {
                String before = "{";
                for (Map.Entry<?, ?> entry : m.entrySet()) {
                    add(before, out, line, budget);
                    literal(entry.getKey(), out, line, budget);
                    add(": ", out, line, budget);
                    literal(entry.getValue(), out, line, budget);
                    before = ", ";
                }
                add(m.isEmpty() ? "{}" : "}", out, line, budget);
            }
            default -> add(atom(value), out, line, budget);
        }
        budget.up();
    }

    private static String atom(Object value) {
        return switch (value) {
            case Boolean b -> b ? "True" : "False";
            case None n -> "None";
            case Double d -> decimal(d);
            case Undefined u -> "Undefined";
            case Namespace n -> "<Namespace>";
            case Function f -> "<function>";
            default -> value.toString();
        };
    }

    private static void add(String text, StringBuilder out, int line, Budget budget) {
        budget.make(text.length(), line);
        out.append(text);
    }

    static String decimal(double value) {
        if (Double.isNaN(value) || Double.isInfinite(value)) {
            return Double.isNaN(value) ? "nan" : value > 0 ? "inf" : "-inf";
        }
        String shortest = Double.toString(value);
        double size = Math.abs(value);
        // Java writes an exponent from 1e7 on and below 1e-3, Python from 1e16 on and below 1e-4.
        if (!shortest.contains("E") || (size < 1e16 && size >= 1e-4)) {
            String plain = new java.math.BigDecimal(shortest).toPlainString();
            return plain.contains(".") ? plain : plain + ".0";
        }
        String[] parts = shortest.split("E", 2);
        String mantissa = parts[0].endsWith(".0") ? parts[0].substring(0, parts[0].length() - 2) : parts[0];
        int exponent = Integer.parseInt(parts[1]);
        return mantissa + "e" + (exponent < 0 ? "-" : "+") + (Math.abs(exponent) < 10 ? "0" : "") + Math.abs(exponent);
    }

    private static String quoted(String text) {
        char quote = text.contains("'") && !text.contains("\"") ? '"' : '\'';
        return quote
                + text.replace("\\", "\\\\")
                        .replace(String.valueOf(quote), "\\" + quote)
                        .replace("\n", "\\n")
                        .replace("\r", "\\r")
                        .replace("\t", "\\t")
                + quote;
    }

    /** How a message calls the kind of a value. */
    static String type(Object value) {
        return switch (value) {
            case String s -> "a text";
            case Boolean b -> "a truth value";
            case Long n -> "an integer";
            case Double d -> "a number";
            case List<?> l -> "a list";
            case Map<?, ?> m -> "a mapping";
            case None n -> "none";
            case Undefined u -> "\"" + u.name() + "\", which is not defined,";
            case Namespace n -> "a namespace";
            default -> "a function";
        };
    }
}
