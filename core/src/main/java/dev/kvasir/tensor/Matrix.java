package dev.kvasir.tensor;

import java.lang.foreign.MemorySegment;

/**
 * A row-major matrix {@code [rows][columns]} off-heap, little endian; usually a view of a memory-mapped file.
 *
 * @param dtype type of the elements
 * @param rows outputs of the linear map
 * @param columns inputs of the linear map, whole blocks of {@code dtype}
 * @param data exactly {@code rows * dtype.bytes(columns)} bytes
 */
public record Matrix(DType dtype, int rows, int columns, MemorySegment data) {
    /** Checks that the data has the size the shape asks for. */
    public Matrix {
        if (rows <= 0 || columns <= 0 || columns % dtype.blockElements() != 0) {
            throw new IllegalArgumentException("matrix [" + rows + "][" + columns + "] of " + dtype
                    + ": rows and columns must be positive, columns a multiple of " + dtype.blockElements());
        }
        long rowBytes = dtype.bytes(columns);
        // By division: the product may pass the largest long.
        if (data.byteSize() % rowBytes != 0 || data.byteSize() / rowBytes != rows) {
            throw new IllegalArgumentException("matrix [" + rows + "][" + columns + "] of " + dtype + " needs " + rows
                    + " rows of " + rowBytes + " bytes, found " + data.byteSize() + " bytes");
        }
    }

    /** Bytes of a row. */
    public long rowBytes() {
        return dtype.bytes(columns);
    }
}
