package dev.kvasir.format.gguf;

import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/**
 * Where everything lies in a GGUF file of version 3 that is to be written; drawn in {@link GgufFile}.
 *
 * @param header the file up to its data, padding included
 * @param tensors each with the offset of its bytes behind the header, a multiple of {@value GgufFile#DEFAULT_ALIGNMENT}; the
 *     bytes between are 0
 * @param dataBytes bytes behind the header, the padding after the last tensor included
 */
public record GgufLayout(byte[] header, List<GgufTensor> tensors, long dataBytes) {
    private static final int VERSION = 3;

    /** A tensor that is to be written; the shape has the outermost dimension first. */
    public record Part(String name, GgmlType type, List<Long> shape) {
        /** Keeps its own shape. */
        public Part {
            shape = List.copyOf(shape);
            if (shape.getLast() % type.blockElements() != 0) {
                throw new IllegalArgumentException("tensor " + name + " has rows of " + shape.getLast() + " elements, "
                        + type + " needs a multiple of " + type.blockElements());
            }
        }

        private long bytes() {
            return shape.stream().reduce(1L, Math::multiplyExact) / type.blockElements() * type.blockBytes();
        }
    }

    /**
     * Lays the tensors one after the other.
     *
     * @throws IllegalArgumentException if two of them have one name
     */
    public static GgufLayout of(GgufPairs pairs, List<Part> parts) {
        List<GgufTensor> tensors = new ArrayList<>();
        Set<String> names = new HashSet<>();
        long offset = 0;
        for (Part part : parts) {
            if (!names.add(part.name())) {
                throw new IllegalArgumentException("two tensors are called " + part.name());
            }
            tensors.add(new GgufTensor(part.name(), part.type(), part.shape(), offset, part.bytes()));
            offset = aligned(Math.addExact(offset, part.bytes()));
        }
        return new GgufLayout(header(pairs, tensors), List.copyOf(tensors), offset);
    }

    /** The next multiple of the alignment. */
    private static long aligned(long offset) {
        return -Math.floorDiv(-offset, (long) GgufFile.DEFAULT_ALIGNMENT) * GgufFile.DEFAULT_ALIGNMENT;
    }

    private static byte[] header(GgufPairs pairs, List<GgufTensor> tensors) {
        ByteArrayOutputStream header = new ByteArrayOutputStream();
        header.writeBytes(little(24)
                .putInt(GgufFile.MAGIC)
                .putInt(VERSION)
                .putLong(tensors.size())
                .putLong(pairs.count())
                .array());
        header.writeBytes(pairs.toBytes());
        for (GgufTensor tensor : tensors) {
            byte[] name = tensor.name().getBytes(StandardCharsets.UTF_8);
            byte[] bytes = new byte[8 + name.length + 4 + 8 * tensor.shape().size() + 4 + 8];
            ByteBuffer info = ByteBuffer.wrap(bytes)
                    .order(ByteOrder.LITTLE_ENDIAN)
                    .putLong(name.length)
                    .put(name)
                    .putInt(tensor.shape().size());
            tensor.shape().reversed().forEach(info::putLong);
            info.putInt(tensor.type().id()).putLong(tensor.offset());
            header.writeBytes(bytes);
        }
        header.writeBytes(new byte[(int) (aligned(header.size()) - header.size())]);
        return header.toByteArray();
    }

    private static ByteBuffer little(int bytes) {
        return ByteBuffer.allocate(bytes).order(ByteOrder.LITTLE_ENDIAN);
    }
}
