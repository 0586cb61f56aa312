package dev.kvasir.format.gguf;

import java.util.List;
import java.util.stream.Collectors;

/**
 * What a GGUF file says of one tensor, checked against the file.
 *
 * @param name unique within the file
 * @param shape outermost dimension first, as {@code [rows][columns]}; files have the columns first
 * @param offset of its first byte within the data section, a multiple of the file's alignment
 * @param bytes of all its blocks
 */
public record GgufTensor(String name, GgmlType type, List<Long> shape, long offset, long bytes) {
    /** Keeps its own shape. */
    public GgufTensor {
        shape = List.copyOf(shape);
    }

    /** Elements of all dimensions together. */
    public long elements() {
        return shape.stream().reduce(1L, Math::multiplyExact);
    }

    /** The shape as {@code [rows][columns]}. */
    public String shapeText() {
        return shapeText(shape);
    }

    /** A shape as {@code [rows][columns]}. */
    public static String shapeText(List<Long> shape) {
        return shape.stream().map(d -> "[" + d + "]").collect(Collectors.joining());
    }
}
