package dev.kvasir.chat.jinja;

import java.util.HashMap;
import java.util.Map;
import java.util.Optional;

/** Names and their values within a loop's turn, a macro or the template; what is set inside ends with it. */
final class Scope {
    private final Map<String, Object> values = new HashMap<>();
    private final Optional<Scope> outer;

    Scope(Optional<Scope> outer) {
        this.outer = outer;
    }

    Scope inner() {
        return new Scope(Optional.of(this));
    }

    void set(String name, Object value) {
        values.put(name, value);
    }

    Object get(String name) {
        Object value = values.get(name);
        if (value != null) {
            return value;
        }
        return outer.isPresent() ? outer.get().get(name) : new Undefined(name);
    }
}
