package dev.kvasir.format.gguf;

import dev.kvasir.InvalidFileException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.Set;

/**
 * The keys and values of a GGUF file. Values stay in the file until asked for; each is fetched with the range it must lie in.
 *
 * <p>All getters throw {@link InvalidFileException} naming key, value found and what is allowed, if the value is of another
 * type or out of range.
 */
public final class GgufMetadata {
    private static final int MAX_KEY_BYTES = 65_535;
    private static final int MAX_TEXT_BYTES = 1 << 27;
    private static final int MAX_KEYS = 1 << 16;
    /** Arrays of arrays: none is known to be in use, the format allows them. */
    private static final int MAX_DEPTH = 4;

    private final Path path;
    private final MemorySegment file;
    private final Map<String, Value> values;

    /**
     * Where a value lies.
     *
     * @param element of an array; otherwise the type itself
     * @param count of an array's elements; otherwise 1
     * @param offset of the first element in the file
     */
    private record Value(ValueType type, ValueType element, long count, long offset) {}

    private GgufMetadata(Path path, MemorySegment file, Map<String, Value> values) {
        this.path = path;
        this.file = file;
        this.values = values;
    }

    /** Walks over {@code count} pairs at {@code cursor}, which they leave behind them. */
    static GgufMetadata read(Path path, MemorySegment file, ByteCursor cursor, long count) {
        if (count < 0 || count > MAX_KEYS) {
            throw cursor.problem(
                    "metadata_kv_count is " + Long.toUnsignedString(count) + ", at most " + MAX_KEYS + " are allowed");
        }
        Map<String, Value> values = new LinkedHashMap<>();
        for (long i = 0; i < count; i++) {
            String key = cursor.name(MAX_KEY_BYTES, "metadata key " + i);
            String what = what(key);
            ValueType type = type(cursor, what);
            Value value = value(cursor, type, what);
            if (values.put(key, value) != null) {
                throw cursor.problem(what + " is there twice");
            }
        }
        return new GgufMetadata(path, file, Collections.unmodifiableMap(values));
    }

    private static String what(String key) {
        return "metadata " + ByteCursor.printable(key);
    }

    private static ValueType type(ByteCursor cursor, String what) {
        int id = cursor.int32(what);
        return ValueType.of(id)
                .orElseThrow(() -> cursor.problem(
                        what + " has value type " + Integer.toUnsignedString(id) + ", allowed are 0 to 12"));
    }

    private static Value value(ByteCursor cursor, ValueType type, String what) {
        if (type != ValueType.ARRAY) {
            long offset = cursor.position();
            skip(cursor, type, 1, what, 0);
            return new Value(type, type, 1, offset);
        }
        ValueType element = type(cursor, what);
        long count = count(cursor, element, what);
        long offset = cursor.position();
        skip(cursor, element, count, what, 1);
        return new Value(type, element, count, offset);
    }

    private static long count(ByteCursor cursor, ValueType element, String what) {
        long count = cursor.int64(what);
        long most = cursor.remaining() / element.bytes();
        if (count < 0 || count > Math.min(most, Integer.MAX_VALUE)) {
            throw cursor.problem(what + " is an array of " + Long.toUnsignedString(count) + " values of " + element
                    + ", the rest of the file can hold " + most + ": truncated or malformed");
        }
        return count;
    }

    private static void skip(ByteCursor cursor, ValueType type, long count, String what, int depth) {
        if (type == ValueType.BOOL) {
            for (long i = 0; i < count; i++) {
                byte bool = cursor.int8(what);
                if (bool != 0 && bool != 1) {
                    throw cursor.problem(what + " is a bool of " + bool + ", allowed are 0 and 1");
                }
            }
        } else if (type.fixedLength()) {
            cursor.skip(type.bytes() * count, what);
        } else if (type == ValueType.STRING) {
            for (long i = 0; i < count; i++) {
                cursor.skip(cursor.length(MAX_TEXT_BYTES, what), what);
            }
        } else {
            if (depth >= MAX_DEPTH) {
                throw cursor.problem(what + " holds arrays deeper than the allowed " + MAX_DEPTH);
            }
            for (long i = 0; i < count; i++) {
                ValueType element = type(cursor, what);
                skip(cursor, element, count(cursor, element, what), what, depth + 1);
            }
        }
    }

    /** The file it is from. */
    public Path path() {
        return path;
    }

    /** All keys, in the file's order. */
    public Set<String> keys() {
        return values.keySet();
    }

    /** Whether there is a value of that key. */
    public boolean has(String key) {
        return values.containsKey(key);
    }

    /** An integer of any width from {@code min} to {@code max}. */
    public OptionalInt integer(String key, int min, int max) {
        Value value = values.get(key);
        if (value == null) {
            return OptionalInt.empty();
        }
        require(key, value, value.type.integral(), "an integer");
        return OptionalInt.of(inRange(key, integral(value.type, cursor(value)), value.type, min, max));
    }

    /** As {@link #integer}, where the key must be there. */
    public int requiredInteger(String key, int min, int max) {
        return integer(key, min, max).orElseThrow(() -> missing(key));
    }

    /** A number above 0 and at most {@code max}; an integer will do. */
    public OptionalDouble positive(String key, double max) {
        Value value = values.get(key);
        if (value == null) {
            return OptionalDouble.empty();
        }
        require(key, value, value.type.floating() || value.type.integral(), "a number");
        double number =
                value.type.integral() ? integral(value.type, cursor(value)) : floating(value.type, cursor(value));
        // An unsigned value above the largest long reads as negative, and is refused as well.
        if (!(number > 0) || number > max) {
            throw problem(key, "must be a number above 0 and at most " + max + ", found " + number);
        }
        return OptionalDouble.of(number);
    }

    /** As {@link #positive}, where the key must be there. */
    public double requiredPositive(String key, double max) {
        return positive(key, max).orElseThrow(() -> missing(key));
    }

    /** A text. */
    public Optional<String> text(String key) {
        Value value = values.get(key);
        if (value == null) {
            return Optional.empty();
        }
        require(key, value, value.type == ValueType.STRING, "a text");
        return Optional.of(cursor(value).text(MAX_TEXT_BYTES, what(key)));
    }

    /** As {@link #text}, where the key must be there. */
    public String requiredText(String key) {
        return text(key).orElseThrow(() -> missing(key));
    }

    /** A truth value, {@code otherwise} if the key is not there. */
    public boolean flag(String key, boolean otherwise) {
        Value value = values.get(key);
        if (value == null) {
            return otherwise;
        }
        require(key, value, value.type == ValueType.BOOL, "true or false");
        return cursor(value).int8(what(key)) != 0;
    }

    /** Whether the value is an array. */
    public boolean isArray(String key) {
        Value value = values.get(key);
        return value != null && value.type == ValueType.ARRAY;
    }

    /** Elements of an array; 0 if the key is not there. */
    public int count(String key) {
        Value value = values.get(key);
        return value == null ? 0 : (int) array(key, value).count;
    }

    /** An array of texts. */
    public Optional<List<String>> texts(String key) {
        Value value = values.get(key);
        if (value == null) {
            return Optional.empty();
        }
        require(key, value, array(key, value).element == ValueType.STRING, "an array of texts");
        ByteCursor cursor = cursor(value);
        List<String> texts = new ArrayList<>((int) value.count);
        for (long i = 0; i < value.count; i++) {
            texts.add(cursor.text(MAX_TEXT_BYTES, what(key) + "[" + i + "]"));
        }
        return Optional.of(Collections.unmodifiableList(texts));
    }

    /** An array of numbers, rounded to f32. */
    public Optional<float[]> floats(String key) {
        Value value = values.get(key);
        if (value == null) {
            return Optional.empty();
        }
        require(key, value, array(key, value).element.floating(), "an array of numbers");
        ByteCursor cursor = cursor(value);
        float[] numbers = new float[(int) value.count];
        for (int i = 0; i < numbers.length; i++) {
            numbers[i] = (float) floating(value.element, cursor);
        }
        return Optional.of(numbers);
    }

    /** An array of integers, each from {@code min} to {@code max}; truth values count as 0 and 1. */
    public Optional<int[]> integers(String key, int min, int max) {
        Value value = values.get(key);
        if (value == null) {
            return Optional.empty();
        }
        ValueType element = array(key, value).element;
        require(key, value, element.integral() || element == ValueType.BOOL, "an array of integers");
        ByteCursor cursor = cursor(value);
        int[] numbers = new int[(int) value.count];
        for (int i = 0; i < numbers.length; i++) {
            numbers[i] = inRange(key + "[" + i + "]", integral(element, cursor), element, min, max);
        }
        return Optional.of(numbers);
    }

    /** The pairs whose keys begin so, byte by byte as they are here, for another file. */
    public GgufPairs pairs(String prefix) {
        GgufPairs pairs = new GgufPairs();
        values.forEach((key, value) -> {
            if (key.startsWith(prefix)) {
                boolean array = value.type == ValueType.ARRAY;
                // An array's type and count stand before its elements.
                long from = value.offset - (array ? Integer.BYTES + Long.BYTES : 0);
                ByteCursor end = cursor(value);
                skip(end, value.element, value.count, what(key), array ? 1 : 0);
                pairs.raw(key, value.type, file.asSlice(from, end.position() - from));
            }
        });
        return pairs;
    }

    /** The error about {@code key}. */
    public InvalidFileException problem(String key, String problem) {
        return new InvalidFileException(path, what(key) + " " + problem);
    }

    /** The error about a key that is not there. */
    public InvalidFileException missing(String key) {
        return problem(key, "is missing");
    }

    private ByteCursor cursor(Value value) {
        return new ByteCursor(path, file, value.offset);
    }

    private Value array(String key, Value value) {
        require(key, value, value.type == ValueType.ARRAY, "an array");
        return value;
    }

    private void require(String key, Value value, boolean holds, String allowed) {
        if (!holds) {
            String found = value.type == ValueType.ARRAY
                    ? "an array of " + value.count + " values of " + value.element
                    : value.type.name();
            throw problem(key, "must be " + allowed + ", found " + found);
        }
    }

    private int inRange(String key, long number, ValueType type, int min, int max) {
        boolean beyondLong = type == ValueType.UINT64 && number < 0;
        if (beyondLong || number < min || number > max) {
            String found = type == ValueType.UINT64 ? Long.toUnsignedString(number) : Long.toString(number);
            throw problem(key, "must be an integer from " + min + " to " + max + ", found " + found);
        }
        return (int) number;
    }

    private static long integral(ValueType type, ByteCursor cursor) {
        String what = "a value";
        return switch (type) {
            case UINT8, BOOL -> Byte.toUnsignedLong(cursor.int8(what));
            case INT8 -> cursor.int8(what);
            case UINT16 -> Short.toUnsignedLong(cursor.int16(what));
            case INT16 -> cursor.int16(what);
            case UINT32 -> Integer.toUnsignedLong(cursor.int32(what));
            case INT32 -> cursor.int32(what);
            // Above the largest long it reads as negative, which the range check knows.
            case UINT64, INT64 -> cursor.int64(what);
            case FLOAT32, STRING, ARRAY, FLOAT64 -> throw new IllegalArgumentException(type + " is no integer");
        };
    }

    private static double floating(ValueType type, ByteCursor cursor) {
        return type == ValueType.FLOAT32
                ? Float.intBitsToFloat(cursor.int32("a value"))
                : Double.longBitsToDouble(cursor.int64("a value"));
    }
}
