package dev.kvasir.format;

import dev.kvasir.InvalidFileException;
import dev.kvasir.tensor.DType;
import dev.kvasir.tensor.Matrix;
import dev.kvasir.tensor.RowReader;
import java.io.EOFException;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;

/**
 * A memory-mapped safetensors file, checked in full before any of its tensors is handed out.
 *
 * <pre>
 * | N: u64 little endian | header: N bytes of JSON, padded with blanks | data: tensors without gaps |
 * </pre>
 *
 * <p>The mapping lives as long as any view of it. A file that another process truncates while it is mapped ends in an
 * {@link InternalError} at the next access; that cannot be checked beforehand.
 *
 * @see <a href="https://github.com/huggingface/safetensors#format">the format</a>
 */
public final class SafetensorsFile {
    private static final int LENGTH_BYTES = 8;

    private static final ValueLayout.OfInt I32 = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private final Path path;
    private final SafetensorsHeader header;
    private final MemorySegment data;

    private SafetensorsFile(Path path, SafetensorsHeader header, MemorySegment data) {
        this.path = path;
        this.header = header;
        this.data = data;
    }

    /**
     * Opens {@code path}.
     *
     * @throws InvalidFileException if it is missing, truncated, malformed, or its tensors overlap or leave gaps
     */
    public static SafetensorsFile open(Path path) {
        if (!Files.isRegularFile(path)) {
            throw new InvalidFileException(path, Files.exists(path) ? "is not a file" : "there is no such file");
        }
        try (FileChannel channel = FileChannel.open(path)) {
            long size = channel.size();
            if (size < LENGTH_BYTES) {
                throw new InvalidFileException(path, "has " + size + " bytes, a safetensors file has at least 8");
            }
            long length = read(channel, 0, LENGTH_BYTES)
                    .order(ByteOrder.LITTLE_ENDIAN)
                    .getLong();
            long allowed = Math.min(size - LENGTH_BYTES, SafetensorsHeader.MAX_BYTES);
            if (length < 0 || length > allowed) {
                throw new InvalidFileException(
                        path,
                        "header length is " + Long.toUnsignedString(length) + ", in a file of " + size
                                + " bytes at most " + allowed + " is allowed: truncated or not a safetensors file");
            }
            byte[] json = read(channel, LENGTH_BYTES, (int) length).array();
            long dataBytes = size - LENGTH_BYTES - length;
            SafetensorsHeader header = SafetensorsHeader.parse(path, json, dataBytes);
            MemorySegment data = dataBytes == 0
                    ? MemorySegment.NULL
                    : channel.map(FileChannel.MapMode.READ_ONLY, LENGTH_BYTES + length, dataBytes, Arena.ofAuto());
            return new SafetensorsFile(path, header, data);
        } catch (IOException e) {
            throw JsonFile.unreadable(path, e);
        }
    }

    private static ByteBuffer read(FileChannel channel, long position, int count) throws IOException {
        ByteBuffer buffer = ByteBuffer.allocate(count);
        while (buffer.hasRemaining()) {
            int n = channel.read(buffer, position + buffer.position());
            if (n < 0) {
                throw new EOFException("the file ends at byte " + (position + buffer.position()));
            }
        }
        return buffer.flip();
    }

    /** Where the file is. */
    public Path path() {
        return path;
    }

    /** The texts of {@code __metadata__}; empty if there is none. */
    public Map<String, String> metadata() {
        return header.metadata();
    }

    /** All tensors, in the order of their data. */
    public List<TensorInfo> tensors() {
        return header.tensors().values().stream()
                .map(SafetensorsHeader.Entry::info)
                .toList();
    }

    /** Whether there is a tensor of that name. */
    public boolean contains(String name) {
        return header.tensors().containsKey(name);
    }

    /**
     * What the header says of a tensor.
     *
     * @throws InvalidFileException if there is none of that name
     */
    public TensorInfo info(String name) {
        return entry(name).info();
    }

    /** The bytes of a tensor, read-only, little endian; not aligned to anything. */
    public MemorySegment bytes(String name) {
        SafetensorsHeader.Entry entry = entry(name);
        return data.asSlice(entry.begin(), entry.end() - entry.begin());
    }

    /**
     * A weight as a matrix {@code [rows][columns]} over the mapping.
     *
     * <p>The format does not promise that tensors start at multiples of their element size; one that does not is copied,
     * so that loops over it may rely on aligned elements.
     *
     * @throws InvalidFileException if the tensor is missing, of another shape, or not of F32, F16 or BF16
     */
    public Matrix matrix(String name, int rows, int columns) {
        DType dtype = weightType(name, List.of((long) rows, (long) columns));
        MemorySegment bytes = bytes(name);
        if (bytes.address() % dtype.blockBytes() != 0) {
            bytes = Arena.ofAuto()
                    .allocate(bytes.byteSize(), dtype.blockBytes())
                    .copyFrom(bytes)
                    .asReadOnly();
        }
        return new Matrix(dtype, rows, columns, bytes);
    }

    /**
     * A weight {@code [length]} widened to f32.
     *
     * @throws InvalidFileException as {@link #matrix}
     */
    public float[] vector(String name, int length) {
        DType dtype = weightType(name, List.of((long) length));
        float[] values = new float[length];
        RowReader.read(new Matrix(dtype, 1, length, bytes(name)), 0, 0, length, values, 0);
        return values;
    }

    /**
     * A tensor of I32 in row-major order.
     *
     * @throws InvalidFileException if it is missing, of another shape or of another type
     */
    int[] integers(String name, List<Long> shape) {
        TensorInfo info = info(name);
        if (info.type() != ElementType.I32 || !info.shape().equals(shape)) {
            throw new InvalidFileException(
                    path,
                    "tensor " + name + " is " + info.type() + " " + info.shapeText() + ", expected I32 "
                            + TensorInfo.shapeText(shape));
        }
        return bytes(name).toArray(I32);
    }

    private DType weightType(String name, List<Long> expected) {
        TensorInfo info = info(name);
        if (!info.shape().equals(expected)) {
            throw new InvalidFileException(
                    path,
                    "tensor " + name + " has shape " + info.shapeText() + ", expected "
                            + TensorInfo.shapeText(expected));
        }
        return info.type()
                .weightType()
                .orElseThrow(() -> new InvalidFileException(
                        path, "tensor " + name + " has dtype " + info.type() + ", weights must be F32, F16 or BF16"));
    }

    private SafetensorsHeader.Entry entry(String name) {
        SafetensorsHeader.Entry entry = header.tensors().get(name);
        if (entry == null) {
            throw new InvalidFileException(path, "tensor " + name + " is missing");
        }
        return entry;
    }
}
