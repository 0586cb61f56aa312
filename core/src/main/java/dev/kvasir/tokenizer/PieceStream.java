package dev.kvasir.tokenizer;

import java.util.Arrays;
import java.util.function.Function;

/**
 * Streams a vocabulary whose tokens become text one by one: decodes the last few tokens with the new one and gives what that
 * adds.
 *
 * <p>The window must decode to something by itself, for the first text of a decoding loses its leading blank. A run of byte
 * tokens is held until another token follows: the library turns an ill-formed run into one U+FFFD for each of its bytes, so
 * no byte is certain before the run ends.
 */
final class PieceStream implements Tokenizer.Stream {
    /** Tokens that a trimmed window keeps; it is trimmed when it has twice as many. */
    private static final int KEPT = 4;

    private final TokenizerFile file;
    private final Function<int[], String> decode;
    private final boolean byteRuns;
    private int[] window = new int[4 * KEPT];
    private int size;
    /** Chars of the window's text that were given already. */
    private int given;

    private int trimAt = 2 * KEPT;

    PieceStream(TokenizerFile file, Function<int[], String> decode, boolean byteRuns) {
        this.file = file;
        this.decode = decode;
        this.byteRuns = byteRuns;
    }

    @Override
    public String next(int token) {
        if (file.isSpecial(token) || file.token(token).isEmpty()) {
            return "";
        }
        if (size == window.length) {
            window = Arrays.copyOf(window, 2 * size);
        }
        window[size++] = token;
        return byteRuns && isByte(file.token(token).orElseThrow()) ? "" : take();
    }

    @Override
    public String finish() {
        return take();
    }

    private String take() {
        String text = decode.apply(Arrays.copyOf(window, size));
        String fresh = text.substring(given);
        given = text.length();
        if (size >= trimAt) {
            trim();
        }
        return fresh;
    }

    private void trim() {
        int[] last = Arrays.copyOfRange(window, size - KEPT, size);
        String text = decode.apply(last);
        if (text.isEmpty()) {
            trimAt = 2 * size;
            return;
        }
        System.arraycopy(last, 0, window, 0, KEPT);
        size = KEPT;
        given = text.length();
        trimAt = 2 * KEPT;
    }

    private static boolean isByte(String token) {
        return token.length() == 6
                && token.startsWith("<0x")
                && token.endsWith(">")
                && Character.digit(token.charAt(3), 16) >= 0
                && Character.digit(token.charAt(4), 16) >= 0;
    }
}
