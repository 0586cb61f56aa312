package dev.kvasir.chat.jinja;

/**
 * What a name that is not defined stands for: empty as text and as a list, false, and an error as anything else.
 *
 * @param name how a message calls it
 */
record Undefined(String name) {}
