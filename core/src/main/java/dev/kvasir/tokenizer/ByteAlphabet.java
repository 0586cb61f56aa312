package dev.kvasir.tokenizer;

import java.util.Arrays;

/**
 * The printable stand-ins that byte-level tokenizers use for bytes: printable Latin-1 characters stand for themselves, the
 * others for U+0100 and up, in order.
 *
 * <p>Source: Radford et al., Language Models are Unsupervised Multitask Learners (2019), {@code bytes_to_unicode} of its
 * code.
 */
final class ByteAlphabet {
    private final char[] charOf = new char[256];
    private final short[] byteOf = new short[512];

    ByteAlphabet() {
        Arrays.fill(byteOf, (short) -1);
        int next = 256;
        for (int b = 0; b < 256; b++) {
            boolean printable = (b > ' ' && b < 0x7f) || (b > 0xa0 && b != 0xad);
            charOf[b] = (char) (printable ? b : next++);
            byteOf[charOf[b]] = (short) b;
        }
    }

    /** The stand-in of {@code b}. */
    char charOf(byte b) {
        return charOf[b & 0xff];
    }

    /** The byte that {@code c} stands for, 0 to 255, or -1. */
    int byteOf(char c) {
        return c < byteOf.length ? byteOf[c] : -1;
    }
}
