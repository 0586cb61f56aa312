package dev.kvasir.format.gguf;

import java.util.Optional;

/** The types of metadata values, in the order of their numbers in files. */
enum ValueType {
    UINT8(0, 1),
    INT8(1, 1),
    UINT16(2, 2),
    INT16(3, 2),
    UINT32(4, 4),
    INT32(5, 4),
    FLOAT32(6, 4),
    BOOL(7, 1),
    STRING(8, 8),
    ARRAY(9, 12),
    UINT64(10, 8),
    INT64(11, 8),
    FLOAT64(12, 8);

    private static final ValueType[] BY_ID = values();

    private final int id;
    private final int bytes;

    ValueType(int id, int bytes) {
        this.id = id;
        this.bytes = bytes;
    }

    /** The number of the type in files. */
    int id() {
        return id;
    }

    /** Bytes of a value; the fewest one may have where values differ in length. */
    int bytes() {
        return bytes;
    }

    boolean fixedLength() {
        return this != STRING && this != ARRAY;
    }

    boolean integral() {
        return switch (this) {
            case UINT8, INT8, UINT16, INT16, UINT32, INT32, UINT64, INT64 -> true;
            case FLOAT32, BOOL, STRING, ARRAY, FLOAT64 -> false;
        };
    }

    boolean floating() {
        return this == FLOAT32 || this == FLOAT64;
    }

    static Optional<ValueType> of(int id) {
        return id >= 0 && id < BY_ID.length ? Optional.of(BY_ID[id]) : Optional.empty();
    }
}
