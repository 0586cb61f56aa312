package dev.kvasir.chat.jinja;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** Gives expressions their values. */
final class Evaluator {
    private final Budget budget;
    private final Filters filters;

    Evaluator(Budget budget) {
        this.budget = budget;
        this.filters = new Filters(budget);
    }

    Object value(Node.Expr expr, Scope scope) {
        int line = expr.line();
        budget.down(line);
        Object value = evaluated(expr, line, scope);
        budget.up();
        return value;
    }

    private Object evaluated(Node.Expr expr, int line, Scope scope) {
        return switch (expr) {
            case Node.Constant c -> c.value();
            case Node.Name n -> scope.get(n.name());
            case Node.ListOf l -> values(l.items(), scope);
            case Node.MapOf m -> map(m, scope);
            case Node.Attribute a -> attribute(value(a.of(), scope), a.name(), line);
            case Node.Item i -> item(value(i.of(), scope), value(i.index(), scope), line);
            case Node.Slice s -> slice(s, scope);
            case Node.Call c -> call(c, scope);
            case Node.Filter f -> filter(value(f.of(), scope), f.name(), f.arguments(), line, scope);
            case Node.Test t -> Tests.test(value(t.of(), scope), t.name(), given(t.name(), t.arguments(), line, scope));
            case Node.Unary u -> unary(u, scope);
            case Node.Binary b -> binary(b, scope);
            case Node.Choice c -> value(Values.truth(value(c.condition(), scope)) ? c.then() : c.otherwise(), scope);
        };
    }

    Object filter(Object value, String name, Node.Arguments arguments, int line, Scope scope) {
        return filters.apply(value, name, given(name, arguments, line, scope));
    }

    private Given given(String what, Node.Arguments arguments, int line, Scope scope) {
        return new Given(line, what, values(arguments.places(), scope), named(arguments, scope), budget);
    }

    private List<Object> values(List<Node.Expr> expressions, Scope scope) {
        List<Object> values = new ArrayList<>();
        for (Node.Expr expression : expressions) {
            values.add(value(expression, scope));
        }
        return values;
    }

    private Map<String, Object> named(Node.Arguments arguments, Scope scope) {
        Map<String, Object> names = new LinkedHashMap<>();
        arguments.names().forEach((name, expression) -> names.put(name, value(expression, scope)));
        return names;
    }

    private Map<String, Object> map(Node.MapOf of, Scope scope) {
        budget.hold(of.keys().size(), of.line());
        Map<String, Object> map = new LinkedHashMap<>();
        for (int i = 0; i < of.keys().size(); i++) {
            map.put(
                    Values.text(value(of.keys().get(i), scope), of.line(), budget),
                    value(of.values().get(i), scope));
        }
        return map;
    }

    private Object attribute(Object of, String name, int line) {
        if (of instanceof Undefined) {
            throw new TemplateException(line, Values.type(of) + " has no \"" + name + "\"");
        }
        if (of instanceof Namespace space) {
            return space.attributes.getOrDefault(name, new Undefined(name));
        }
        Optional<Function> method = Methods.of(of, name, budget);
        if (method.isPresent()) {
            return method.get();
        }
        Object found = of instanceof Map<?, ?> m ? m.get(name) : null;
        return found == null ? new Undefined(name) : found;
    }

    private Object item(Object of, Object index, int line) {
        return switch (of) {
            case List<?> l
            when Values.isInteger(index) -> {
                int at = place(Values.integer(index), l.size());
                yield at < 0 ? new Undefined("element " + Values.integer(index)) : l.get(at);
            }
            case String s
            when Values.isInteger(index) -> {
                int at = place(Values.integer(index), s.codePointCount(0, s.length()));
                yield at < 0
                        ? new Undefined("character " + Values.integer(index))
                        : Character.toString(s.codePointAt(s.offsetByCodePoints(0, at)));
            }
            case Map<?, ?> m when index instanceof String && m.containsKey(index) -> m.get(index);
            default -> {
                if (of instanceof Undefined || (of == None.NONE && !(index instanceof String))) {
                    throw new TemplateException(line, Values.type(of) + " has no elements");
                }
                yield index instanceof String name
                        ? attribute(of, name, line)
                        : new Undefined(Values.text(index, line, budget));
            }
        };
    }

    /** Where index {@code i} of {@code size} elements is; below 0 if nowhere. */
    private static int place(long i, int size) {
        long at = i < 0 ? i + size : i;
        return at >= 0 && at < size ? (int) at : -1;
    }

    private Object slice(Node.Slice slice, Scope scope) {
        int line = slice.line();
        Object of = value(slice.of(), scope);
        List<Object> all = Values.elements(of, line, budget);
        long step = bound(value(slice.step(), scope), 1, line);
        if (step == 0) {
            throw new TemplateException(line, "the step of a slice must not be 0");
        }
        int size = all.size();
        long from = edge(value(slice.from(), scope), step > 0 ? 0 : size - 1, step, size, line);
        long to = edge(value(slice.to(), scope), step > 0 ? size : -1, step, size, line);
        List<Object> taken = new ArrayList<>();
        for (long i = from; step > 0 ? i < to : i > to; i += step) {
            taken.add(all.get((int) i));
        }
        return of instanceof String
                ? Methods.join("", taken, new Given(line, "a slice", List.of(), Map.of(), budget), budget)
                : taken;
    }

    private static long bound(Object value, long otherwise, int line) {
        if (value == None.NONE) {
            return otherwise;
        }
        if (!Values.isInteger(value) || Math.abs(Values.integer(value)) > Integer.MAX_VALUE) {
            throw new TemplateException(line, "a slice wants integers, found " + Values.type(value));
        }
        return Values.integer(value);
    }

    private static long edge(Object value, long otherwise, long step, int size, int line) {
        if (value == None.NONE) {
            return otherwise;
        }
        long at = bound(value, 0, line);
        at = at < 0 ? at + size : at;
        return step > 0 ? Math.clamp(at, 0, size) : Math.clamp(at, -1, size - 1);
    }

    private Object call(Node.Call call, Scope scope) {
        Object of = value(call.of(), scope);
        if (!(of instanceof Function function)) {
            String name = call.of() instanceof Node.Name n
                    ? n.name()
                    : call.of() instanceof Node.Attribute a ? a.name() : "this";
            throw new TemplateException(
                    call.line(),
                    "\"" + name + "\" is no function" + (of instanceof Undefined ? ", it is not defined" : ""));
        }
        return function.call(call.line(), values(call.arguments().places(), scope), named(call.arguments(), scope));
    }

    private Object unary(Node.Unary unary, Scope scope) {
        Object of = value(unary.of(), scope);
        return switch (unary.operator()) {
            case "not" -> !Values.truth(of);
            case "-" -> Arithmetic.apply("-", 0L, of, unary.line());
            default -> Arithmetic.apply("+", 0L, of, unary.line());
        };
    }

    private Object binary(Node.Binary binary, Scope scope) {
        int line = binary.line();
        Object left = value(binary.left(), scope);
        if (binary.operator().equals("and")) {
            return Values.truth(left) ? value(binary.right(), scope) : left;
        }
        if (binary.operator().equals("or")) {
            return Values.truth(left) ? left : value(binary.right(), scope);
        }
        Object right = value(binary.right(), scope);
        return switch (binary.operator()) {
            case "==" -> Values.equal(left, right, line, budget);
            case "!=" -> !Values.equal(left, right, line, budget);
            case "<" -> Values.compare(left, right, line, budget) < 0;
            case "<=" -> Values.compare(left, right, line, budget) <= 0;
            case ">" -> Values.compare(left, right, line, budget) > 0;
            case ">=" -> Values.compare(left, right, line, budget) >= 0;
            case "in" -> Values.contains(right, left, line, budget);
            case "not in" -> !Values.contains(right, left, line, budget);
            case "~" -> joined(Values.text(left, line, budget), Values.text(right, line, budget), line);
            case "+" -> plus(left, right, line);
            case "*" -> times(left, right, line);
            default -> Arithmetic.apply(binary.operator(), left, right, line);
        };
    }

    private String joined(String left, String right, int line) {
        budget.make((long) left.length() + right.length(), line);
        return left + right;
    }

    private Object plus(Object left, Object right, int line) {
        if (left instanceof String a && right instanceof String b) {
            return joined(a, b, line);
        }
        if (left instanceof List<?> a && right instanceof List<?> b) {
            budget.make((long) a.size() + b.size(), line);
            List<Object> both = new ArrayList<>(a);
            both.addAll(b);
            return both;
        }
        return Arithmetic.apply("+", left, right, line);
    }

    private Object times(Object left, Object right, int line) {
        if (left instanceof String text && Values.isInteger(right)) {
            long times = Math.max(0, Values.integer(right));
            budget.make(Math.min(times, Integer.MAX_VALUE) * Math.max(1, text.length()), line);
            return text.repeat((int) times);
        }
        return Arithmetic.apply("*", left, right, line);
    }
}
