package dev.kvasir.format.gguf;

import dev.kvasir.InvalidFileException;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * A memory-mapped GGUF file of version 2 or 3, little endian, checked in full before any of its tensors is handed out.
 *
 * <pre>
 * | "GGUF" | version: u32 | tensor_count: u64 | metadata_kv_count: u64 |
 * | metadata_kv_count times: key: string | type: u32 | value |
 * | tensor_count times: name: string | n_dims: u32 | dims: n_dims u64, columns first | type: u32 | offset: u64 |
 * | padding to general.alignment | data: each tensor at its offset from here, a multiple of the alignment |
 *
 *   string: length u64, bytes of UTF-8     array: element type u32, count u64, the elements
 * </pre>
 *
 * <p>The mapping lives as long as any view of it. A file that another process truncates while it is mapped ends in an
 * {@link InternalError} at the next access; that cannot be checked beforehand.
 *
 * @see <a href="https://github.com/ggml-org/ggml/blob/master/docs/gguf.md">the format</a>
 */
public final class GgufFile {
    /** The first four bytes of a file, as a little-endian number. */
    static final int MAGIC = 'G' | 'G' << 8 | 'U' << 16 | 'F' << 24;

    static final String ALIGNMENT = "general.alignment";
    static final int DEFAULT_ALIGNMENT = 32;

    private static final int HEADER_BYTES = 24;
    private static final int MAX_TENSORS = 1 << 16;
    private static final int MAX_NAME_BYTES = 127;
    private static final int MAX_DIMENSIONS = 4;
    private static final int MAX_ALIGNMENT = 1 << 16;

    private final Path path;
    private final int version;
    private final GgufMetadata metadata;
    private final Map<String, GgufTensor> tensors;
    private final MemorySegment data;

    private GgufFile(
            Path path, int version, GgufMetadata metadata, Map<String, GgufTensor> tensors, MemorySegment data) {
        this.path = path;
        this.version = version;
        this.metadata = metadata;
        this.tensors = tensors;
        this.data = data;
    }

    /**
     * Opens {@code path}.
     *
     * @throws InvalidFileException if it is missing, truncated, malformed, of another version or byte order, or its tensors
     *     overlap
     */
    public static GgufFile open(Path path) {
        if (!Files.isRegularFile(path)) {
            throw new InvalidFileException(path, Files.exists(path) ? "is not a file" : "there is no such file");
        }
        try (FileChannel channel = FileChannel.open(path)) {
            long size = channel.size();
            return of(
                    path,
                    size == 0
                            ? MemorySegment.NULL
                            : channel.map(FileChannel.MapMode.READ_ONLY, 0, size, Arena.ofAuto()));
        } catch (IOException e) {
            throw new InvalidFileException(path, "cannot be read: " + e.getMessage(), e);
        }
    }

    /** As {@link #open}, of the bytes of a file; {@code path} is what messages call it. */
    static GgufFile of(Path path, MemorySegment file) {
        ByteCursor cursor = new ByteCursor(path, file, 0);
        if (file.byteSize() < HEADER_BYTES) {
            throw cursor.problem("has " + file.byteSize() + " bytes, a GGUF file has at least " + HEADER_BYTES);
        }
        int magic = cursor.int32("the magic number");
        if (magic != MAGIC) {
            throw cursor.problem("starts with " + String.format("0x%08x", Integer.reverseBytes(magic))
                    + ", a GGUF file starts with 0x47475546 (\"GGUF\")");
        }
        int version = version(cursor);
        long tensorCount = cursor.int64("tensor_count");
        long keyCount = cursor.int64("metadata_kv_count");
        if (tensorCount < 0 || tensorCount > MAX_TENSORS) {
            throw cursor.problem("tensor_count is " + Long.toUnsignedString(tensorCount) + ", at most " + MAX_TENSORS
                    + " are allowed");
        }
        GgufMetadata metadata = GgufMetadata.read(path, file, cursor, keyCount);
        int alignment = alignment(metadata);
        Map<String, GgufTensor> tensors = tensors(cursor, tensorCount, alignment);
        long start = -Math.floorDiv(-cursor.position(), (long) alignment) * alignment;
        // The padding after the tensor infos may be cut where no data follow it.
        long dataBytes = Math.max(0, file.byteSize() - start);
        requireWithin(cursor, tensors, dataBytes);
        MemorySegment data = dataBytes == 0 ? MemorySegment.NULL : file.asSlice(start, dataBytes);
        return new GgufFile(path, version, metadata, tensors, data);
    }

    private static int version(ByteCursor cursor) {
        int version = cursor.int32("the version");
        if (version == 2 || version == 3) {
            return version;
        }
        if ((version & 0xffff) == 0 && version != 0) {
            throw cursor.problem("is a big-endian GGUF file (version " + Integer.reverseBytes(version)
                    + "), only little-endian ones are supported: convert the model anew");
        }
        throw cursor.problem("has GGUF version " + Integer.toUnsignedString(version) + ", allowed are 2 and 3"
                + (version == 1 ? ": convert the model anew" : ""));
    }

    private static int alignment(GgufMetadata metadata) {
        int alignment = metadata.integer(ALIGNMENT, 8, MAX_ALIGNMENT).orElse(DEFAULT_ALIGNMENT);
        if (Integer.bitCount(alignment) != 1) {
            throw metadata.problem(ALIGNMENT, "must be a power of two, found " + alignment);
        }
        return alignment;
    }

    private static Map<String, GgufTensor> tensors(ByteCursor cursor, long count, int alignment) {
        Map<String, GgufTensor> tensors = new LinkedHashMap<>();
        for (long i = 0; i < count; i++) {
            GgufTensor tensor = tensor(cursor, i, alignment);
            if (tensors.put(tensor.name(), tensor) != null) {
                throw cursor.problem("tensor " + tensor.name() + " is there twice");
            }
        }
        return Collections.unmodifiableMap(tensors);
    }

    private static GgufTensor tensor(ByteCursor cursor, long index, int alignment) {
        String name = cursor.name(MAX_NAME_BYTES, "the name of tensor " + index);
        String what = "tensor " + name;
        int dimensions = cursor.int32(what);
        if (dimensions < 1 || dimensions > MAX_DIMENSIONS) {
            throw cursor.problem(what + " has " + Integer.toUnsignedString(dimensions)
                    + " dimensions, allowed are 1 to " + MAX_DIMENSIONS);
        }
        List<Long> shape = new ArrayList<>(dimensions);
        for (int d = 0; d < dimensions; d++) {
            shape.addFirst(cursor.int64(what));
        }
        int id = cursor.int32(what);
        GgmlType type = GgmlType.of(id)
                .orElseThrow(() ->
                        cursor.problem(what + " has type " + Integer.toUnsignedString(id) + ", which is not known"));
        long bytes = bytes(cursor, what, type, shape);
        long offset = cursor.int64(what);
        if (offset < 0 || offset % alignment != 0) {
            throw cursor.problem(what + " starts at byte " + Long.toUnsignedString(offset)
                    + " of the data, which must be a multiple of the alignment " + alignment);
        }
        return new GgufTensor(name, type, shape, offset, bytes);
    }

    private static long bytes(ByteCursor cursor, String what, GgmlType type, List<Long> shape) {
        long columns = shape.getLast();
        if (columns % type.blockElements() != 0) {
            throw cursor.problem(what + " has rows of " + columns + " elements, " + type + " needs a multiple of "
                    + type.blockElements());
        }
        long bytes = type.blockBytes();
        for (int d = 0; d < shape.size(); d++) {
            long dimension = shape.get(d);
            if (dimension < 1) {
                throw cursor.problem(
                        what + " has a dimension of " + Long.toUnsignedString(dimension) + ", it must be 1 or more");
            }
            long blocks = d == shape.size() - 1 ? dimension / type.blockElements() : dimension;
            if (Math.multiplyHigh(bytes, blocks) != 0 || bytes * blocks < 0) {
                throw cursor.problem(what + " has shape " + GgufTensor.shapeText(shape) + ", larger than any file");
            }
            bytes *= blocks;
        }
        return bytes;
    }

    private static void requireWithin(ByteCursor cursor, Map<String, GgufTensor> tensors, long dataBytes) {
        List<GgufTensor> sorted = new ArrayList<>(tensors.values());
        sorted.sort(Comparator.comparingLong(GgufTensor::offset));
        long free = 0;
        String before = "";
        for (GgufTensor tensor : sorted) {
            if (tensor.offset() > dataBytes || tensor.bytes() > dataBytes - tensor.offset()) {
                throw cursor.problem("tensor " + tensor.name() + " has " + tensor.bytes() + " bytes from byte "
                        + tensor.offset() + " of the data on, the file has " + dataBytes + ": truncated");
            }
            if (tensor.offset() < free) {
                throw cursor.problem("tensor " + tensor.name() + " starts at byte " + tensor.offset()
                        + " of the data, tensor " + before + " ends at " + free + ": they overlap");
            }
            free = tensor.offset() + tensor.bytes();
            before = tensor.name();
        }
    }

    /** Where the file is. */
    public Path path() {
        return path;
    }

    /** The format's version, 2 or 3. */
    public int version() {
        return version;
    }

    /** Keys and values. */
    public GgufMetadata metadata() {
        return metadata;
    }

    /** All tensors, in the file's order. */
    public List<GgufTensor> tensors() {
        return List.copyOf(tensors.values());
    }

    /** The tensor of that name, if there is one. */
    public Optional<GgufTensor> find(String name) {
        return Optional.ofNullable(tensors.get(name));
    }

    /**
     * The tensor of that name.
     *
     * @throws InvalidFileException if there is none
     */
    public GgufTensor tensor(String name) {
        return find(name).orElseThrow(() -> new InvalidFileException(path, "tensor " + name + " is missing"));
    }

    /** The bytes of one of this file's tensors, read-only, at an address that is a multiple of the alignment. */
    public MemorySegment bytes(GgufTensor tensor) {
        return data.asSlice(tensor.offset(), tensor.bytes());
    }
}
