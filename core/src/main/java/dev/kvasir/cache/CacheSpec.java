package dev.kvasir.cache;

import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.regex.Pattern;

/**
 * A cache named in text, e.g. {@code kivi(bits=2, group=32, residual=128)}; option values may be specs themselves.
 *
 * @param method name of the method
 * @param options values as written, in order; a first value without a name has the name {@code ""}
 */
public record CacheSpec(String method, Map<String, String> options) {
    private static final Pattern BARE = Pattern.compile("[^\\p{javaWhitespace},()=\"]+");

    /** Keeps a copy of the options. */
    public CacheSpec {
        options = Collections.unmodifiableMap(new LinkedHashMap<>(options));
    }

    /**
     * Parses the text; unknown methods and options fail later, against the registry, with the nearest spelling.
     *
     * @throws dev.kvasir.InvalidInputException if it is not a spec; the message has the column, counted from 1
     */
    public static CacheSpec parse(String text) {
        return new CacheSpecParser(text).parse();
    }

    /** The canonical text, which parses to an equal spec. */
    @Override
    public String toString() {
        if (options.isEmpty()) {
            return method;
        }
        StringBuilder text = new StringBuilder(method).append('(');
        options.forEach((name, value) -> {
            text.append(text.charAt(text.length() - 1) == '(' ? "" : ", ");
            text.append(name.isEmpty() ? "" : name + "=").append(quoted(value));
        });
        return text.append(')').toString();
    }

    private static String quoted(String value) {
        if (BARE.matcher(value).matches() || CacheSpecParser.isCanonicalSpec(value)) {
            return value;
        }
        return '"' + value.replace("\\", "\\\\").replace("\"", "\\\"") + '"';
    }
}
