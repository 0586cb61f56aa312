package dev.kvasir.lab.accuracy;

import dev.kvasir.lab.task.Span;
import dev.kvasir.tokenizer.Tokenizer;

/** Tokens {@code [start, end)} of a text. */
record TokenRange(int start, int end) {
    /** The tokens that share a character with {@code span}; none of those before {@code from} is looked at. */
    static TokenRange of(Span span, Tokenizer.Encoding encoding, int from) {
        int token = from;
        while (token < encoding.ids().length && encoding.ends()[token] <= span.start()) {
            token++;
        }
        int start = token;
        while (token < encoding.ids().length && encoding.starts()[token] < span.end()) {
            token++;
        }
        return new TokenRange(start, token);
    }

    boolean isEmpty() {
        return start == end;
    }
}
