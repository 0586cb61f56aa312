package dev.kvasir.format.gguf;

import dev.kvasir.InvalidFileException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;

/** A place in a GGUF file that moves on with what is read; no read goes beyond the end. */
final class ByteCursor {
    private static final ValueLayout.OfShort I16 = ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfInt I32 = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfLong I64 = ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final int SHOWN_CHARACTERS = 60;

    private final Path path;
    private final MemorySegment file;
    private long position;

    ByteCursor(Path path, MemorySegment file, long position) {
        this.path = path;
        this.file = file;
        this.position = position;
    }

    long position() {
        return position;
    }

    long remaining() {
        return file.byteSize() - position;
    }

    byte int8(String what) {
        return file.get(ValueLayout.JAVA_BYTE, take(1, what));
    }

    short int16(String what) {
        return file.get(I16, take(2, what));
    }

    int int32(String what) {
        return file.get(I32, take(4, what));
    }

    long int64(String what) {
        return file.get(I64, take(8, what));
    }

    /** Moves on by {@code bytes}, which the caller has bounded by an array's count or a text's length. */
    void skip(long bytes, String what) {
        take(bytes, what);
    }

    /** The length of a text that follows, at most {@code max} bytes. */
    int length(int max, String what) {
        long length = int64(what);
        if (length < 0 || length > Math.min(max, remaining())) {
            throw problem(what + " has a length of " + Long.toUnsignedString(length) + " bytes, "
                    + (length >= 0 && length <= max
                            ? "the file has " + remaining() + " more: truncated"
                            : "at most " + max + " are allowed"));
        }
        return (int) length;
    }

    /** A text of at most {@code max} bytes of UTF-8. */
    String text(int max, String what) {
        int length = length(max, what);
        if (length == 0) {
            return "";
        }
        ByteBuffer bytes = file.asSlice(take(length, what), length).asByteBuffer();
        try {
            return StandardCharsets.UTF_8.newDecoder().decode(bytes).toString();
        } catch (CharacterCodingException e) {
            throw new InvalidFileException(path, what + " must be UTF-8, found other bytes", e);
        }
    }

    /** As {@link #text}, of at least one character and none that would disturb a terminal. */
    String name(int max, String what) {
        String name = text(max, what);
        if (name.isEmpty() || name.chars().anyMatch(c -> Character.isISOControl(c) || Character.isWhitespace(c))) {
            throw problem(what + " must be a name without blanks, found \"" + printable(name) + "\"");
        }
        return name;
    }

    InvalidFileException problem(String problem) {
        return new InvalidFileException(path, problem);
    }

    /** What a message shows of a text from a file: at most 60 characters on one line. */
    static String printable(String text) {
        StringBuilder shown = new StringBuilder();
        int end = Math.min(text.length(), SHOWN_CHARACTERS);
        for (int i = 0; i < end; i++) {
            char c = text.charAt(i);
            boolean harmless = c >= ' ' && c != 0x7f && !Character.isISOControl(c) && c != 0x2028 && c != 0x2029;
            shown.append(harmless ? String.valueOf(c) : String.format("\\u%04x", (int) c));
        }
        return end < text.length() ? shown.append("...").toString() : shown.toString();
    }

    private long take(long bytes, String what) {
        if (bytes > remaining()) {
            throw problem("ends within " + what + ": " + bytes + " bytes are needed at byte " + position
                    + ", the file has " + file.byteSize() + ": truncated");
        }
        long at = position;
        position += bytes;
        return at;
    }
}
