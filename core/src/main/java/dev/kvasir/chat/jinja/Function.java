package dev.kvasir.chat.jinja;

import java.util.List;
import java.util.Map;

/** What a template may call. */
@FunctionalInterface
interface Function {
    /** The value for these arguments, by place and by name. */
    Object call(int line, List<Object> places, Map<String, Object> names);
}
