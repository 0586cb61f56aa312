package dev.kvasir.tokenizer;

import java.nio.file.Path;

/** Text to ids and back, as the model's {@code tokenizer.json} says. */
public final class Tokenizer implements AutoCloseable {
    private Tokenizer() {}

    /** Opens {@code folder/tokenizer.json}; fails if its ids do not fit {@code vocabularySize}. */
    public static Tokenizer open(Path folder, int vocabularySize) {
        throw new UnsupportedOperationException();
    }

    /** Ids of the text; no special token is added. */
    public int[] encode(String text) {
        throw new UnsupportedOperationException();
    }

    /**
     * Ids with the text each came from.
     *
     * @param starts first char of each token
     * @param ends char after the last of each token
     */
    public record Encoding(int[] ids, int[] starts, int[] ends) {}

    /** As {@link #encode}, with char offsets into the text. */
    public Encoding encodeWithOffsets(String text) {
        throw new UnsupportedOperationException();
    }

    /** Text of the ids, special tokens left out. */
    public String decode(int[] ids) {
        throw new UnsupportedOperationException();
    }

    /** A decoder for one growing sequence; gives only whole UTF-8 characters. */
    public Stream stream() {
        throw new UnsupportedOperationException();
    }

    /** Streaming detokenisation. */
    public interface Stream {
        /** The text that token adds; empty while a character is incomplete. */
        String next(int token);

        /** What is left at the end: the replacement character for an incomplete one. */
        String finish();
    }

    @Override
    public void close() {}
}
