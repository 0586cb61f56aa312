package dev.kvasir.chat.jinja;

/** Python's {@code None}. */
enum None {
    /** The only one. */
    NONE
}
