package dev.kvasir.tokenizer;

/**
 * UTF-8 as it arrives, byte by byte: whole characters come out, each maximal ill-formed part becomes one U+FFFD.
 *
 * <p>This is the replacement practice of The Unicode Standard (chapter 3, "U+FFFD Substitution of Maximal Subparts") and of
 * Rust's {@code from_utf8_lossy}. Java's own decoder differs from it on encoded surrogates.
 */
final class Utf8Decoder {
    private static final char REPLACEMENT = '\uFFFD';

    private int codePoint;
    /** Continuation bytes that the character still wants; 0 between characters. */
    private int wanted;
    /** Bounds of the next continuation byte: narrower than 80 to BF after E0, ED, F0 and F4. */
    private int low;

    private int high;

    /** Takes one byte, 0 to 255. */
    void accept(int b, StringBuilder out) {
        if (wanted > 0) {
            if (b >= low && b <= high) {
                codePoint = (codePoint << 6) | (b & 0x3f);
                low = 0x80;
                high = 0xbf;
                if (--wanted == 0) {
                    out.appendCodePoint(codePoint);
                }
                return;
            }
            wanted = 0;
            out.append(REPLACEMENT);
        }
        start(b, out);
    }

    private void start(int b, StringBuilder out) {
        low = 0x80;
        high = 0xbf;
        if (b < 0x80) {
            out.append((char) b);
        } else if (b >= 0xc2 && b <= 0xdf) {
            codePoint = b & 0x1f;
            wanted = 1;
        } else if (b >= 0xe0 && b <= 0xef) {
            codePoint = b & 0x0f;
            wanted = 2;
            low = b == 0xe0 ? 0xa0 : 0x80;
            high = b == 0xed ? 0x9f : 0xbf;
        } else if (b >= 0xf0 && b <= 0xf4) {
            codePoint = b & 0x07;
            wanted = 3;
            low = b == 0xf0 ? 0x90 : 0x80;
            high = b == 0xf4 ? 0x8f : 0xbf;
        } else {
            out.append(REPLACEMENT);
        }
    }

    /** Ends the text: an unfinished character becomes U+FFFD. */
    void finish(StringBuilder out) {
        if (wanted > 0) {
            wanted = 0;
            out.append(REPLACEMENT);
        }
    }
}
