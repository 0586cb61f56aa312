package dev.kvasir.chat.jinja;

import java.util.List;
import java.util.Map;

/**
 * The arguments of one call of a built-in function, method, filter or test.
 *
 * @param what how a message calls it
 * @param budget what the call takes its work from
 */
record Given(int line, String what, List<Object> places, Map<String, Object> names, Budget budget) {
    /** The argument of that place, or of that name; {@code otherwise} if there is none. */
    Object get(int place, String name, Object otherwise) {
        return place >= 0 && place < places.size() ? places.get(place) : names.getOrDefault(name, otherwise);
    }

    boolean has(int place) {
        return place < places.size();
    }

    Object required(int place) {
        if (place >= places.size()) {
            throw new TemplateException(
                    line, what + " wants " + (place + 1) + " arguments or more, found " + places.size());
        }
        return places.get(place);
    }

    String text(int place) {
        if (required(place) instanceof String s) {
            return s;
        }
        throw wrong(required(place), "a text");
    }

    int integer(int place, String name, int otherwise) {
        Object value = get(place, name, (long) otherwise);
        if (Values.isInteger(value) && Math.abs(Values.integer(value)) <= Integer.MAX_VALUE) {
            return (int) Values.integer(value);
        }
        throw wrong(value, "an integer");
    }

    private TemplateException wrong(Object found, String wanted) {
        return new TemplateException(line, what + " wants " + wanted + ", found " + Values.type(found));
    }
}
