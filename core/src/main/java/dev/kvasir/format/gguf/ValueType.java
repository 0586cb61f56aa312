package dev.kvasir.format.gguf;

import java.util.Optional;

/** The types of metadata values; a type's ordinal is its number in files. */
enum ValueType {
    UINT8(1),
    INT8(1),
    UINT16(2),
    INT16(2),
    UINT32(4),
    INT32(4),
    FLOAT32(4),
    BOOL(1),
    STRING(8),
    ARRAY(12),
    UINT64(8),
    INT64(8),
    FLOAT64(8);

    private static final ValueType[] BY_ID = values();

    private final int bytes;

    ValueType(int bytes) {
        this.bytes = bytes;
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
