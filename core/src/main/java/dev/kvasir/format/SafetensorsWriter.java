package dev.kvasir.format;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
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
    private final NewFile file;

    private SafetensorsWriter(NewFile file) {
        this.file = file;
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
        SafetensorsWriter writer = new SafetensorsWriter(NewFile.create(path, 8L + header.length + dataBytes));
        try {
            writer.file.write(ByteBuffer.allocate(8)
                    .order(ByteOrder.LITTLE_ENDIAN)
                    .putLong(header.length)
                    .flip());
            writer.file.write(ByteBuffer.wrap(header));
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
        file.write(bytes);
    }

    /** As {@link #write(MemorySegment)}, from the buffer's position to its limit. */
    public void write(ByteBuffer bytes) throws IOException {
        file.write(bytes);
    }

    /**
     * Puts the finished file in its place.
     *
     * @throws IllegalStateException if data is missing
     */
    public void commit() throws IOException {
        file.commit();
    }

    /** Removes what was not committed. */
    @Override
    public void close() throws IOException {
        file.close();
    }
}
