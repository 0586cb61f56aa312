package dev.kvasir.format;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.AtomicMoveNotSupportedException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.UUID;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * Writes a safetensors file tensor by tensor, never holding more than one piece of one.
 *
 * <p>All tensors are announced first, for the header comes before the data; then the data is written in the same order.
 * The file appears under its name only at {@link #commit}, in one move: a reader never sees half a file, and a failure
 * leaves what was there before. Readers expect tensors in descending element size for alignment; any order is valid.
 *
 * <pre>{@code
 * try (var writer = SafetensorsWriter.create(path, tensors, metadata)) {
 *     writer.write(segment); // as often as it takes, in the order of tensors
 *     writer.commit();
 * }
 * }</pre>
 */
public final class SafetensorsWriter implements AutoCloseable {
    private static final int MAX_PIECE = 1 << 20;

    private final Path path;
    private final Path temporary;
    private final FileChannel channel;
    private final long end;
    private boolean committed;

    private SafetensorsWriter(Path path, Path temporary, FileChannel channel, long end) {
        this.path = path;
        this.temporary = temporary;
        this.channel = channel;
        this.end = end;
    }

    /**
     * Starts a file of these tensors.
     *
     * @throws IllegalArgumentException if two tensors have one name, or one is called {@code __metadata__}
     */
    public static SafetensorsWriter create(Path path, List<TensorInfo> tensors, Map<String, String> metadata)
            throws IOException {
        byte[] header = header(tensors, metadata);
        long dataBytes = tensors.stream().mapToLong(TensorInfo::bytes).reduce(0, Math::addExact);
        Path folder = path.toAbsolutePath().getParent();
        if (folder == null) {
            throw new IllegalArgumentException("no file can be written at " + path);
        }
        Path temporary = folder.resolve("." + path.getFileName() + "." + UUID.randomUUID() + ".tmp");
        FileChannel channel = FileChannel.open(temporary, StandardOpenOption.WRITE, StandardOpenOption.CREATE_NEW);
        SafetensorsWriter writer = new SafetensorsWriter(path, temporary, channel, 8L + header.length + dataBytes);
        try {
            writer.put(ByteBuffer.allocate(8)
                    .order(ByteOrder.LITTLE_ENDIAN)
                    .putLong(header.length)
                    .flip());
            writer.put(ByteBuffer.wrap(header));
        } catch (IOException e) {
            writer.close();
            throw e;
        }
        return writer;
    }

    private static byte[] header(List<TensorInfo> tensors, Map<String, String> metadata) {
        ObjectNode root = JsonFile.MAPPER.createObjectNode();
        if (!metadata.isEmpty()) {
            ObjectNode texts = root.putObject(SafetensorsHeader.METADATA);
            metadata.forEach(texts::put);
        }
        Set<String> names = new HashSet<>(Set.of(SafetensorsHeader.METADATA));
        long offset = 0;
        for (TensorInfo tensor : tensors) {
            if (!names.add(tensor.name())) {
                throw new IllegalArgumentException("two tensors are called " + tensor.name());
            }
            ObjectNode node = root.putObject(tensor.name());
            node.put("dtype", tensor.type().name());
            ArrayNode shape = node.putArray("shape");
            tensor.shape().forEach(shape::add);
            node.putArray("data_offsets").add(offset).add(offset += tensor.bytes());
        }
        String json = JsonFile.MAPPER.writeValueAsString(root);
        // Blanks up to a multiple of 8, so that the data starts aligned.
        int length = json.getBytes(StandardCharsets.UTF_8).length;
        return (json + " ".repeat(-length & 7)).getBytes(StandardCharsets.UTF_8);
    }

    /** Writes the next bytes of the data: little endian elements, in the order of the tensors. */
    public void write(MemorySegment bytes) throws IOException {
        for (long at = 0; at < bytes.byteSize(); at += MAX_PIECE) {
            put(bytes.asSlice(at, Math.min(MAX_PIECE, bytes.byteSize() - at)).asByteBuffer());
        }
    }

    /** As {@link #write(MemorySegment)}, from the buffer's position to its limit. */
    public void write(ByteBuffer bytes) throws IOException {
        put(bytes);
    }

    private void put(ByteBuffer bytes) throws IOException {
        if (channel.position() + bytes.remaining() > end) {
            throw new IllegalStateException(
                    path + ": the announced tensors end at byte " + end + ", more data was written");
        }
        while (bytes.hasRemaining()) {
            channel.write(bytes);
        }
    }

    /**
     * Puts the finished file in its place.
     *
     * @throws IllegalStateException if data is missing
     */
    public void commit() throws IOException {
        if (channel.position() != end) {
            throw new IllegalStateException(
                    path + ": data ends at byte " + channel.position() + ", the announced tensors at " + end);
        }
        channel.force(true);
        channel.close();
        try {
            Files.move(temporary, path, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
        } catch (AtomicMoveNotSupportedException e) {
            Files.move(temporary, path, StandardCopyOption.REPLACE_EXISTING);
        }
        committed = true;
    }

    /** Removes what was not committed. */
    @Override
    public void close() throws IOException {
        channel.close();
        if (!committed) {
            Files.deleteIfExists(temporary);
        }
    }
}
