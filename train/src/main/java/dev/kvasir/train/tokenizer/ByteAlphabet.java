package dev.kvasir.train.tokenizer;

import java.nio.charset.StandardCharsets;
import java.util.List;

/**
 * The printable character that stands for each byte in a byte-level vocabulary (Radford et al., "Language Models are
 * Unsupervised Multitask Learners", 2019, section 2.2): visible Latin-1 bytes stand for themselves, the others follow
 * from U+0100 on in order.
 */
public final class ByteAlphabet {
    /** Symbols of the alphabet. */
    public static final int SIZE = 256;

    private static final String SYMBOLS = symbolTable();
    private static final String BYTES = byteTable();

    private ByteAlphabet() {}

    /** All symbols, by the byte they stand for. */
    public static List<String> symbols() {
        return SYMBOLS.chars().mapToObj(Character::toString).toList();
    }

    /** The character standing for {@code value}, 0 to 255. */
    public static char symbol(int value) {
        return SYMBOLS.charAt(value);
    }

    /** The byte, 0 to 255, that {@code symbol} stands for; other characters are a defect of the caller. */
    public static int value(char symbol) {
        return BYTES.charAt(symbol);
    }

    /** The UTF-8 bytes of {@code text}, one character each. */
    public static String encode(String text) {
        byte[] utf8 = text.getBytes(StandardCharsets.UTF_8);
        char[] symbols = new char[utf8.length];
        for (int i = 0; i < utf8.length; i++) {
            symbols[i] = SYMBOLS.charAt(utf8[i] & 0xff);
        }
        return new String(symbols);
    }

    /** The text whose UTF-8 bytes {@code symbols} stand for; a broken character reads as U+FFFD. */
    public static String decode(String symbols) {
        byte[] utf8 = new byte[symbols.length()];
        for (int i = 0; i < utf8.length; i++) {
            utf8[i] = (byte) value(symbols.charAt(i));
        }
        return new String(utf8, StandardCharsets.UTF_8);
    }

    private static boolean visible(int value) {
        return (value >= '!' && value <= '~') || (value >= 0xa1 && value <= 0xff && value != 0xad);
    }

    private static String symbolTable() {
        StringBuilder symbols = new StringBuilder();
        int next = 0x100;
        for (int value = 0; value < SIZE; value++) {
            symbols.append((char) (visible(value) ? value : next++));
        }
        return symbols.toString();
    }

    private static String byteTable() {
        char[] bytes = new char[0x100 + SIZE];
        for (int value = 0; value < SIZE; value++) {
            bytes[SYMBOLS.charAt(value)] = (char) value;
        }
        return new String(bytes);
    }
}
