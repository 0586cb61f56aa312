package dev.kvasir.format.gguf;

import java.io.ByteArrayOutputStream;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/** Keys and values for a GGUF file that is to be written, in the order they are put in; no key may come twice. */
public final class GgufPairs {
    private final ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    private final Set<String> keys = new HashSet<>();

    /** A text. */
    public GgufPairs text(String key, String value) {
        key(key, ValueType.STRING);
        string(value);
        return this;
    }

    /** A number from 0 on, as an unsigned one of 32 bits. */
    public GgufPairs unsigned(String key, int value) {
        if (value < 0) {
            throw new IllegalArgumentException(key + " must be 0 or more, found " + value);
        }
        key(key, ValueType.UINT32);
        int32(value);
        return this;
    }

    /** A number with a fraction, as one of 32 bits. */
    public GgufPairs number(String key, float value) {
        key(key, ValueType.FLOAT32);
        int32(Float.floatToRawIntBits(value));
        return this;
    }

    /** Yes or no. */
    public GgufPairs flag(String key, boolean value) {
        key(key, ValueType.BOOL);
        bytes.write(value ? 1 : 0);
        return this;
    }

    /** Texts, one after the other. */
    public GgufPairs texts(String key, List<String> values) {
        key(key, ValueType.ARRAY);
        int32(ValueType.STRING.id());
        int64(values.size());
        values.forEach(this::string);
        return this;
    }

    /** Signed numbers of 32 bits. */
    public GgufPairs integers(String key, int[] values) {
        key(key, ValueType.ARRAY);
        int32(ValueType.INT32.id());
        int64(values.length);
        for (int value : values) {
            int32(value);
        }
        return this;
    }

    /** Numbers with fractions, of 32 bits. */
    public GgufPairs numbers(String key, float[] values) {
        key(key, ValueType.ARRAY);
        int32(ValueType.FLOAT32.id());
        int64(values.length);
        for (float value : values) {
            int32(Float.floatToRawIntBits(value));
        }
        return this;
    }

    /** A value as another file has it. */
    GgufPairs raw(String key, ValueType type, MemorySegment value) {
        key(key, type);
        bytes.writeBytes(value.toArray(ValueLayout.JAVA_BYTE));
        return this;
    }

    /** All pairs of another. */
    public GgufPairs all(GgufPairs others) {
        others.keys.forEach(this::once);
        bytes.writeBytes(others.toBytes());
        return this;
    }

    int count() {
        return keys.size();
    }

    byte[] toBytes() {
        return bytes.toByteArray();
    }

    private void key(String key, ValueType type) {
        once(key);
        string(key);
        int32(type.id());
    }

    private void once(String key) {
        if (!keys.add(key)) {
            throw new IllegalArgumentException("two pairs have the key " + key);
        }
    }

    private void string(String text) {
        byte[] utf8 = text.getBytes(StandardCharsets.UTF_8);
        int64(utf8.length);
        bytes.writeBytes(utf8);
    }

    private void int32(int value) {
        bytes.writeBytes(ByteBuffer.allocate(4)
                .order(ByteOrder.LITTLE_ENDIAN)
                .putInt(value)
                .array());
    }

    private void int64(long value) {
        bytes.writeBytes(ByteBuffer.allocate(8)
                .order(ByteOrder.LITTLE_ENDIAN)
                .putLong(value)
                .array());
    }
}
