package dev.kvasir.lab.task;

import java.util.List;

/** A line of a document, counted once, with the answers inside it. */
record Piece(String text, List<Span> answers, int tokens) {
    static Piece of(String text, TokenCounter counter) {
        return new Piece(text, List.of(), counter.count(text));
    }

    /** A line {@code before + answer + after}. */
    static Piece asking(String before, String answer, String after, TokenCounter counter) {
        String text = before + answer + after;
        Span span = new Span(before.length(), before.length() + answer.length());
        return new Piece(text, List.of(span), counter.count(text));
    }

    static int tokens(List<Piece> pieces) {
        int sum = 0;
        for (Piece piece : pieces) {
            sum += piece.tokens();
        }
        return sum;
    }
}
