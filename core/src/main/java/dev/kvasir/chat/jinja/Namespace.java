package dev.kvasir.chat.jinja;

import java.util.HashMap;
import java.util.Map;

/** What {@code namespace()} makes: the only thing in a template whose attributes can be set. */
final class Namespace {
    final Map<String, Object> attributes = new HashMap<>();
}
