package dev.kvasir.tensor;

import java.lang.foreign.MemorySegment;

/**
 * A row-major matrix {@code [rows][columns]} off-heap, little endian; usually a view of a memory-mapped file.
 *
 * @param dtype element type
 * @param rows outputs of the linear map
 * @param columns inputs of the linear map
 * @param data exactly {@code rows * columns * dtype.bytes()} bytes
 */
public record Matrix(DType dtype, int rows, int columns, MemorySegment data) {
    /** Checks that the data has the size the shape asks for. */
    public Matrix {
        long expected = (long) rows * columns * dtype.bytes();
        if (rows <= 0 || columns <= 0 || data.byteSize() != expected) {
            throw new IllegalArgumentException("matrix [" + rows + "][" + columns + "] of " + dtype + " needs "
                    + expected + " bytes, found " + data.byteSize());
        }
    }
}
