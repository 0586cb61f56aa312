package dev.kvasir.format;

import java.util.List;
import java.util.stream.Collectors;

/**
 * One entry of a safetensors header.
 *
 * @param name unique within the file
 * @param type element type
 * @param shape outermost dimension first; empty for a scalar
 */
public record TensorInfo(String name, ElementType type, List<Long> shape) {
    /** Checks the shape: nothing negative, and a byte count that a file can have. */
    public TensorInfo {
        shape = List.copyOf(shape);
        if (name.isEmpty()) {
            throw new IllegalArgumentException("a tensor must have a name");
        }
        byteSize(type, shape);
    }

    /** Bytes of all elements. */
    public long bytes() {
        return byteSize(type, shape);
    }

    /** The shape as {@code [rows][columns]}. */
    public String shapeText() {
        return shapeText(shape);
    }

    static String shapeText(List<Long> shape) {
        return shape.isEmpty() ? "[]" : shape.stream().map(d -> "[" + d + "]").collect(Collectors.joining());
    }

    private static long byteSize(ElementType type, List<Long> shape) {
        long bytes = type.bytes();
        for (long dimension : shape) {
            if (dimension < 0) {
                throw new IllegalArgumentException("shape " + shapeText(shape) + " has a negative dimension");
            }
            long high = Math.multiplyHigh(bytes, dimension);
            bytes *= dimension;
            if (high != 0 || bytes < 0) {
                throw new IllegalArgumentException("shape " + shapeText(shape) + " is larger than any file");
            }
        }
        return bytes;
    }
}
