package dev.kvasir.fuzz;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.zip.CRC32C;

/** Makes lengths and checksums of mutated files fit again, which chance would hardly do. */
final class Mending {
    private static final Pattern OFFSETS =
            Pattern.compile("data_offsets\"\\s*:\\s*\\[\\s*(\\d{1,5})\\s*,\\s*(\\d{1,5})");
    private static final int CHECKSUM = Long.BYTES;

    private Mending() {}

    /**
     * A safetensors file whose length is that of its JSON object, and whose data end where its header says. Files without an
     * object stay as they are.
     */
    static byte[] safetensors(byte[] file) {
        int end = endOfObject(file);
        if (end < 0) {
            return file;
        }
        int header = end - Long.BYTES;
        Matcher offsets = OFFSETS.matcher(new String(file, Long.BYTES, header, StandardCharsets.ISO_8859_1));
        int data = 0;
        while (offsets.find()) {
            data = Math.max(data, Integer.parseInt(offsets.group(2)));
        }
        byte[] mended = Arrays.copyOf(file, end + data);
        ByteBuffer.wrap(mended).order(ByteOrder.LITTLE_ENDIAN).putLong(header);
        return mended;
    }

    /** Where the object that starts behind the length ends; below 0 if none does. */
    private static int endOfObject(byte[] file) {
        int depth = 0;
        boolean text = false;
        for (int i = Long.BYTES; i < file.length; i++) {
            byte b = file[i];
            if (text) {
                i += b == '\\' ? 1 : 0;
                text = b != '"';
            } else if (b == '"') {
                text = true;
            } else if (b == '{' || b == '[') {
                depth++;
            } else if ((b == '}' || b == ']') && --depth <= 0) {
                return i + 1;
            }
        }
        return -1;
    }

    /** A saved cache with the checksums of its header, where that can be found, and of its whole. */
    static byte[] savedCache(byte[] file) {
        byte[] mended = file.clone();
        int header = endOfHeader(ByteBuffer.wrap(file));
        if (header >= 0) {
            checksum(mended, header);
        }
        if (mended.length >= CHECKSUM) {
            checksum(mended, mended.length - CHECKSUM);
        }
        return mended;
    }

    private static void checksum(byte[] file, int end) {
        CRC32C crc = new CRC32C();
        crc.update(file, 0, end);
        ByteBuffer.wrap(file).putLong(end, crc.getValue());
    }

    /** Where the header's checksum stands; below 0 if the file ends before. */
    private static int endOfHeader(ByteBuffer file) {
        int at = 12;
        for (int text = 0; text < 2; text++) {
            if (at + Integer.BYTES > file.limit()) {
                return -1;
            }
            at += Integer.BYTES + Math.clamp(file.getInt(at), 0, 1 << 16);
        }
        at += 7 * Integer.BYTES;
        if (at + Integer.BYTES > file.limit()) {
            return -1;
        }
        at += Integer.BYTES + Integer.BYTES * Math.clamp(file.getInt(at), 0, 1 << 16);
        return at + CHECKSUM <= file.limit() ? at : -1;
    }
}
