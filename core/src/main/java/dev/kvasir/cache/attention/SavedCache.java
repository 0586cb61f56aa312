package dev.kvasir.cache.attention;

import dev.kvasir.InvalidInputException;
import dev.kvasir.cache.CacheFileException;
import dev.kvasir.cache.CacheShape;
import dev.kvasir.cache.CacheSpec;
import dev.kvasir.cache.KvCache;
import dev.kvasir.cache.RestorableCache;
import java.io.BufferedInputStream;
import java.io.BufferedOutputStream;
import java.io.DataInput;
import java.io.DataInputStream;
import java.io.DataOutput;
import java.io.DataOutputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;
import java.util.function.Function;
import java.util.zip.CRC32C;
import java.util.zip.CheckedInputStream;
import java.util.zip.CheckedOutputStream;

/**
 * The form of a cache in a stream, all numbers big-endian.
 *
 * <pre>
 *   "KVASIRKV"  int version
 *   text spec   text fingerprint        (text: int bytes, UTF-8)
 *   int layers, heads, kvHeads, headDim, hiddenSize, length
 *   float scoreCap   int windows (0 or layers)   int window of each
 *   long CRC32C of everything before
 *   for each layer, KV head: keys, values (each store's own form)
 *   long CRC32C of everything before
 * </pre>
 */
public final class SavedCache {
    private static final byte[] MAGIC = "KVASIRKV".getBytes(StandardCharsets.US_ASCII);
    private static final int VERSION = 2;
    /** The longest spec or fingerprint. */
    private static final int MAX_TEXT = 1 << 16;

    private SavedCache() {}

    /** What stands before the content. */
    public record Header(CacheSpec spec, String fingerprint, CacheShape shape, int length) {}

    /** Writes the content. */
    interface Content {
        void write(DataOutput out) throws IOException;
    }

    static void write(
            OutputStream out, CacheSpec spec, CacheShape shape, String fingerprint, int length, Content content)
            throws IOException {
        CheckedOutputStream checked = new CheckedOutputStream(new BufferedOutputStream(out, 1 << 16), new CRC32C());
        DataOutputStream data = new DataOutputStream(checked);
        data.write(MAGIC);
        data.writeInt(VERSION);
        writeText(data, spec.toString());
        writeText(data, fingerprint);
        for (int number : numbers(shape)) {
            data.writeInt(number);
        }
        data.writeInt(length);
        data.writeFloat(shape.scoreCap());
        data.writeInt(shape.windows().size());
        for (int window : shape.windows()) {
            data.writeInt(window);
        }
        data.writeLong(checked.getChecksum().getValue());
        content.write(data);
        data.writeLong(checked.getChecksum().getValue());
        data.flush();
    }

    private static int[] numbers(CacheShape shape) {
        return new int[] {shape.layers(), shape.heads(), shape.kvHeads(), shape.headDim(), shape.hiddenSize()};
    }

    private static void writeText(DataOutput out, String text) throws IOException {
        byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
        if (bytes.length > MAX_TEXT) {
            throw new IllegalArgumentException("text of " + bytes.length + " bytes, at most " + MAX_TEXT);
        }
        out.writeInt(bytes.length);
        out.write(bytes);
    }

    /**
     * Reads a saved cache. May read beyond its end.
     *
     * @param fingerprint of the model it must belong to
     * @param shape of that model
     * @param maker makes an empty cache from the header
     * @throws CacheFileException if it is another model's, or damaged
     * @throws dev.kvasir.cache.CacheBudgetException if the pool cannot hold it
     */
    public static KvCache read(
            InputStream in, String fingerprint, CacheShape shape, Function<Header, RestorableCache> maker)
            throws IOException {
        CheckedInputStream checked = new CheckedInputStream(new BufferedInputStream(in, 1 << 16), new CRC32C());
        DataInputStream data = new DataInputStream(checked);
        try {
            Header header = readHeader(data, checked);
            if (!header.fingerprint().equals(fingerprint)) {
                throw new CacheFileException(
                        "made with model " + header.fingerprint() + ", this one is " + fingerprint);
            }
            if (!header.shape().equals(shape)) {
                throw new CacheFileException("shape " + header.shape() + ", this model's is " + shape);
            }
            return readContent(data, checked, header, maker.apply(header));
        } catch (EOFException e) {
            throw new CacheFileException("ends too early", e);
        }
    }

    private static KvCache readContent(
            DataInputStream data, CheckedInputStream checked, Header header, RestorableCache cache) throws IOException {
        boolean whole = false;
        try {
            cache.restore(data, header.length());
            checkSum(data, checked, "content");
            whole = true;
            return cache;
        } finally {
            if (!whole) {
                cache.close();
            }
        }
    }

    private static Header readHeader(DataInputStream data, CheckedInputStream checked) throws IOException {
        byte[] magic = new byte[MAGIC.length];
        data.readFully(magic);
        if (!Arrays.equals(magic, MAGIC)) {
            throw new CacheFileException("does not begin with KVASIRKV: not a saved cache");
        }
        int version = data.readInt();
        if (version != VERSION) {
            throw new CacheFileException("version " + version + ", this program reads " + VERSION);
        }
        String spec = readText(data, "spec");
        String fingerprint = readText(data, "fingerprint");
        int[] numbers = new int[6];
        for (int i = 0; i < numbers.length; i++) {
            numbers[i] = data.readInt();
        }
        float scoreCap = data.readFloat();
        int[] windows = new int[checkedWindows(data.readInt())];
        for (int i = 0; i < windows.length; i++) {
            windows[i] = data.readInt();
        }
        checkSum(data, checked, "header");
        if (numbers[5] < 0) {
            throw new CacheFileException("length " + numbers[5] + ", allowed are 0 and more");
        }
        try {
            List<Integer> found = Arrays.stream(windows).boxed().toList();
            CacheShape shape =
                    new CacheShape(numbers[0], numbers[1], numbers[2], numbers[3], numbers[4], found, scoreCap);
            return new Header(CacheSpec.parse(spec), fingerprint, shape, numbers[5]);
        } catch (InvalidInputException e) {
            throw new CacheFileException("header: " + e.getMessage(), e);
        }
    }

    private static int checkedWindows(int count) {
        if (count < 0 || count > MAX_TEXT) {
            throw new CacheFileException("windows of " + count + " layers, at most " + MAX_TEXT);
        }
        return count;
    }

    private static String readText(DataInput data, String field) throws IOException {
        int length = data.readInt();
        if (length < 0 || length > MAX_TEXT) {
            throw new CacheFileException(field + " of " + length + " bytes, at most " + MAX_TEXT);
        }
        byte[] bytes = new byte[length];
        data.readFully(bytes);
        return new String(bytes, StandardCharsets.UTF_8);
    }

    /** Compares the checksum of all bytes read so far with the one that follows. */
    private static void checkSum(DataInput data, CheckedInputStream checked, String part) throws IOException {
        long found = checked.getChecksum().getValue();
        long expected = data.readLong();
        if (found != expected) {
            throw new CacheFileException("checksum of the " + part + " is " + Long.toHexString(found) + ", expected "
                    + Long.toHexString(expected) + ": damaged");
        }
    }
}
