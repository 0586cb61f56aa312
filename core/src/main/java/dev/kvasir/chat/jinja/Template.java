package dev.kvasir.chat.jinja;

import java.time.ZonedDateTime;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** A template that was read and can be rendered any number of times, by several threads. */
public final class Template {
    private final List<Node.Statement> body;

    private Template(List<Node.Statement> body) {
        this.body = body;
    }

    /**
     * Reads a template.
     *
     * @throws TemplateException if it is malformed, uses what is not known here, or has more than a mebicharacter
     */
    public static Template parse(String template) {
        return new Template(Parser.parse(template));
    }

    /**
     * Renders the template.
     *
     * @param variables texts, numbers, truth values, and lists and maps of them; an empty {@link Optional} is none
     * @param now what {@code strftime_now} tells
     * @throws TemplateException if the template raises an error, does what has no meaning, or wants more work or text than
     *     allowed
     */
    public String render(Map<String, ?> variables, ZonedDateTime now) {
        Budget budget = new Budget();
        Scope globals = new Scope(Optional.empty());
        Globals.of(now, budget).forEach(globals::set);
        variables.forEach((name, value) -> globals.set(name, checked(value)));
        return new Interpreter(budget).run(body, globals.inner());
    }

    /** The value as a template may see it. */
    private static Object checked(Object value) {
        return switch (value) {
            case String s -> s;
            case Boolean b -> b;
            case Long n -> n;
            case Integer n -> n.longValue();
            case Double d -> d;
            case Optional<?> o -> o.isPresent() ? checked(o.get()) : None.NONE;
            case List<?> l -> {
                List<Object> list = new ArrayList<>();
                l.forEach(e -> list.add(checked(e)));
                yield list;
            }
            case Map<?, ?> m -> {
                Map<String, Object> map = new LinkedHashMap<>();
                m.forEach((key, element) -> map.put(String.valueOf(key), checked(element)));
                yield map;
            }
            default ->
                throw new IllegalArgumentException(
                        "a template cannot hold a " + value.getClass().getName());
        };
    }
}
