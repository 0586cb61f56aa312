package dev.kvasir.cache.method.block;

import dev.kvasir.cache.kernel.Quantizer;
import java.util.Arrays;

/** The block types of ggml that llama.cpp can keep its cache in. */
enum BlockType {
    Q8_0("q8_0"),
    Q5_0("q5_0"),
    Q5_1("q5_1"),
    Q4_0("q4_0"),
    Q4_1("q4_1"),
    IQ4_NL("iq4_nl");

    private final String text;

    BlockType(String text) {
        this.text = text;
    }

    /** The names, as ggml spells them. */
    static String[] names() {
        return Arrays.stream(values()).map(type -> type.text).toArray(String[]::new);
    }

    /** The type of a name, which must be one of {@link #names}. */
    static BlockType of(String text) {
        for (BlockType type : values()) {
            if (type.text.equals(text)) {
                return type;
            }
        }
        throw new IllegalArgumentException("block type " + text);
    }

    Quantizer quantizer() {
        return switch (this) {
            case Q8_0 -> Quantizer.Q8_0;
            case Q5_0 -> Quantizer.Q5_0;
            case Q5_1 -> Quantizer.Q5_1;
            case Q4_0 -> Quantizer.Q4_0;
            case Q4_1 -> Quantizer.Q4_1;
            case IQ4_NL -> Quantizer.IQ4_NL;
        };
    }
}
