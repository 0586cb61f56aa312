package dev.kvasir.format.gguf;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/**
 * Writes GGUF files from the format's description alone, knowing nothing of the product's classes; it writes what it is told,
 * sense or not.
 */
public final class TestGguf {
    public static final int UINT8 = 0;
    public static final int INT8 = 1;
    public static final int UINT16 = 2;
    public static final int INT16 = 3;
    public static final int UINT32 = 4;
    public static final int INT32 = 5;
    public static final int FLOAT32 = 6;
    public static final int BOOL = 7;
    public static final int STRING = 8;
    public static final int ARRAY = 9;
    public static final int UINT64 = 10;
    public static final int INT64 = 11;
    public static final int FLOAT64 = 12;

    private final Bytes pairs = new Bytes();
    private final Bytes infos = new Bytes();
    private final Bytes data = new Bytes();
    private int version = 3;
    private int alignment = 32;
    private long pairCount;
    private long tensorCount;

    /** Little-endian numbers one after another. */
    public static final class Bytes {
        private final ByteArrayOutputStream out = new ByteArrayOutputStream();

        public Bytes u8(int value) {
            out.write(value);
            return this;
        }

        public Bytes u16(int value) {
            return u8(value).u8(value >> 8);
        }

        public Bytes u32(int value) {
            return u16(value).u16(value >> 16);
        }

        public Bytes u64(long value) {
            return u32((int) value).u32((int) (value >> 32));
        }

        public Bytes f32(float value) {
            return u32(Float.floatToRawIntBits(value));
        }

        public Bytes f64(double value) {
            return u64(Double.doubleToRawLongBits(value));
        }

        public Bytes text(String text) {
            byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
            return u64(bytes.length).raw(bytes);
        }

        public Bytes raw(byte[] bytes) {
            out.writeBytes(bytes);
            return this;
        }

        public int size() {
            return out.size();
        }

        public byte[] toArray() {
            return out.toByteArray();
        }

        private void pad(int alignment) {
            while (out.size() % alignment != 0) {
                out.write(0);
            }
        }
    }

    public TestGguf version(int other) {
        version = other;
        return this;
    }

    /** Aligns so, and says it. */
    public TestGguf alignment(int other) {
        alignment = other;
        return u32("general.alignment", other);
    }

    /** A pair whose value is given as bytes. */
    public TestGguf pair(String key, int type, byte[] value) {
        pairs.text(key).u32(type).raw(value);
        pairCount++;
        return this;
    }

    public TestGguf u32(String key, int value) {
        return pair(key, UINT32, new Bytes().u32(value).toArray());
    }

    public TestGguf f32(String key, float value) {
        return pair(key, FLOAT32, new Bytes().f32(value).toArray());
    }

    public TestGguf bool(String key, boolean value) {
        return pair(key, BOOL, new Bytes().u8(value ? 1 : 0).toArray());
    }

    public TestGguf text(String key, String value) {
        return pair(key, STRING, new Bytes().text(value).toArray());
    }

    public TestGguf texts(String key, List<String> values) {
        Bytes bytes = new Bytes().u32(STRING).u64(values.size());
        values.forEach(bytes::text);
        return pair(key, ARRAY, bytes.toArray());
    }

    public TestGguf ints(String key, int... values) {
        Bytes bytes = new Bytes().u32(INT32).u64(values.length);
        for (int value : values) {
            bytes.u32(value);
        }
        return pair(key, ARRAY, bytes.toArray());
    }

    public TestGguf floats(String key, float... values) {
        Bytes bytes = new Bytes().u32(FLOAT32).u64(values.length);
        for (float value : values) {
            bytes.f32(value);
        }
        return pair(key, ARRAY, bytes.toArray());
    }

    /** A tensor after the ones before; {@code shape} has the columns first, as in the file. */
    public TestGguf tensor(String name, int type, byte[] bytes, long... shape) {
        data.pad(alignment);
        info(name, type, data.size(), shape);
        data.raw(bytes);
        return this;
    }

    /** What the file says of a tensor, without data. */
    public TestGguf info(String name, int type, long offset, long... shape) {
        infos.text(name).u32(shape.length);
        for (long dimension : shape) {
            infos.u64(dimension);
        }
        infos.u32(type).u64(offset);
        tensorCount++;
        return this;
    }

    public byte[] toBytes() {
        return toBytes(tensorCount, pairCount);
    }

    /** With other counts than the true ones. */
    public byte[] toBytes(long tensors, long metadata) {
        Bytes file = new Bytes();
        file.raw("GGUF".getBytes(StandardCharsets.US_ASCII))
                .u32(version)
                .u64(tensors)
                .u64(metadata);
        file.raw(pairs.toArray()).raw(infos.toArray());
        file.pad(alignment);
        return file.raw(data.toArray()).toArray();
    }

    public Path write(Path path) throws IOException {
        return Files.write(path, toBytes());
    }

    /** Floats as F32 elements. */
    public static byte[] f32(float... values) {
        ByteBuffer bytes = ByteBuffer.allocate(4 * values.length).order(ByteOrder.LITTLE_ENDIAN);
        for (float value : values) {
            bytes.putFloat(value);
        }
        return bytes.array();
    }
}
