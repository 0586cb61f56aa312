package dev.kvasir.cache;

import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Supplier;

/** What caches make of a model's weights: each is made once and shared by all sequences. Safe for use by several threads. */
public final class Derivations {
    private final Map<String, Object> made = new ConcurrentHashMap<>();

    /**
     * What was made under this name, or what {@code make} makes now.
     *
     * @param name the method's name and whatever its result depends on besides the model
     */
    public <T> T get(String name, Class<T> type, Supplier<T> make) {
        return type.cast(made.computeIfAbsent(name, absent -> make.get()));
    }
}
