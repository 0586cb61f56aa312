package dev.kvasir.chat.jinja;

import java.time.ZonedDateTime;
import java.time.format.DateTimeFormatter;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/** Functions that every chat template may call. */
final class Globals {
    private Globals() {}

    static Map<String, Object> of(ZonedDateTime now, Budget budget) {
        Map<String, Object> globals = new LinkedHashMap<>();
        put(globals, "namespace", (line, places, names) -> {
            Namespace space = new Namespace();
            places.forEach(p -> {
                if (p instanceof Map<?, ?> m) {
                    m.forEach((key, value) -> space.attributes.put(Values.text(key, line, budget), value));
                }
            });
            space.attributes.putAll(names);
            return space;
        });
        put(globals, "dict", (line, places, names) -> new LinkedHashMap<>(names));
        put(globals, "range", (line, places, names) -> range(new Given(line, "range", places, names, budget), budget));
        put(globals, "raise_exception", (line, places, names) -> {
            throw new TemplateException(line, new Given(line, "raise_exception", places, names, budget).text(0));
        });
        put(
                globals,
                "strftime_now",
                (line, places, names) ->
                        time(new Given(line, "strftime_now", places, names, budget).text(0), now, line));
        return globals;
    }

    private static void put(Map<String, Object> globals, String name, Function function) {
        globals.put(name, function);
    }

    private static List<Object> range(Given given, Budget budget) {
        int first = given.integer(0, "start", 0);
        long from = given.has(1) ? first : 0;
        long to = given.has(1) ? given.integer(1, "stop", 0) : first;
        long step = given.integer(2, "step", 1);
        if (step == 0) {
            throw new TemplateException(given.line(), "range wants a step other than 0");
        }
        List<Object> numbers = new ArrayList<>();
        for (long i = from; step > 0 ? i < to : i > to; i += step) {
            budget.step(given.line());
            numbers.add(i);
        }
        return numbers;
    }

    private static String time(String format, ZonedDateTime now, int line) {
        StringBuilder out = new StringBuilder();
        for (int i = 0; i < format.length(); i++) {
            char c = format.charAt(i);
            if (c != '%' || i + 1 == format.length()) {
                out.append(c);
                continue;
            }
            out.append(field(format.charAt(++i), now, line));
        }
        return out.toString();
    }

    private static String field(char field, ZonedDateTime now, int line) {
        String pattern = switch (field) {
            case 'd' -> "dd";
            case 'b' -> "MMM";
            case 'B' -> "MMMM";
            case 'm' -> "MM";
            case 'Y' -> "uuuu";
            case 'y' -> "uu";
            case 'H' -> "HH";
            case 'I' -> "hh";
            case 'M' -> "mm";
            case 'S' -> "ss";
            case 'p' -> "a";
            case 'A' -> "EEEE";
            case 'a' -> "EEE";
            case 'j' -> "DDD";
            case '%' -> "'%'";
            default ->
                throw new TemplateException(
                        line, "strftime_now knows %a %A %b %B %d %H %I %j %m %M %p %S %y %Y %%, found %" + field);
        };
        return now.format(DateTimeFormatter.ofPattern(pattern, Locale.US));
    }
}
