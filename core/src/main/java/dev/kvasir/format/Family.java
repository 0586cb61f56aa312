package dev.kvasir.format;

import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.stream.Collectors;

/**
 * What the families of Hugging Face folders keep differently: the defaults of their configuration classes, and which tensors
 * a layer has. What follows from numbers in {@code config.json} alone is not here.
 */
enum Family {
    LLAMA("llama", new Defaults(2048, 10_000, 1e-6, 0, 0, 0, false)),
    MISTRAL("mistral", new Defaults(131_072, 10_000, 1e-6, 8, 0, 4096, false)),
    QWEN2("qwen2", new Defaults(32_768, 10_000, 1e-6, 32, 0, 4096, false), Trait.QKV_BIAS),
    QWEN3("qwen3", new Defaults(32_768, 10_000, 1e-6, 32, 128, 4096, false), Trait.HEAD_NORMS),
    PHI3("phi3", new Defaults(4096, 10_000, 1e-5, 0, 0, 0, false), Trait.FUSED),
    GEMMA2("gemma2", new Defaults(8192, 10_000, 1e-6, 4, 256, 4096, true), Trait.GEMMA),
    GEMMA3("gemma3_text", new Defaults(131_072, 1_000_000, 1e-6, 4, 256, 4096, true), Trait.GEMMA, Trait.HEAD_NORMS),
    SMOLLM3("smollm3", new Defaults(32_768, 2_000_000, 1e-6, 4, 0, 0, true));

    /** What a layer's tensors are like. */
    enum Trait {
        /** Queries, keys and values have a bias. */
        QKV_BIAS,
        /** Every query and key head is normed. */
        HEAD_NORMS,
        /** {@code qkv_proj} and {@code gate_up_proj} stand for five matrices. */
        FUSED,
        /** Norms keep {@code w} for {@code 1 + w}; attention and MLP are normed before and after; embeddings are scaled. */
        GEMMA
    }

    /**
     * What absent fields mean.
     *
     * @param kvHeads 0 if as many as heads
     * @param headDim 0 if hidden size by heads
     * @param window 0 if none
     */
    record Defaults(int context, double theta, double epsilon, int kvHeads, int headDim, int window, boolean tied) {}

    private final String type;
    // Neither can change: a record of numbers, and List.of.
    @SuppressWarnings("ImmutableEnumChecker")
    private final Defaults defaults;

    @SuppressWarnings("ImmutableEnumChecker")
    private final List<Trait> traits;

    Family(String type, Defaults defaults, Trait... traits) {
        this.type = type;
        this.defaults = defaults;
        this.traits = List.of(traits);
    }

    /** Its {@code model_type}. */
    String type() {
        return type;
    }

    Defaults defaults() {
        return defaults;
    }

    boolean has(Trait trait) {
        return traits.contains(trait);
    }

    /** The family of a {@code model_type}. */
    static Optional<Family> of(String type) {
        return Arrays.stream(values())
                .filter(family ->
                        family.type.equals(type) || (family == LLAMA && type.equals(ConfigFile.REORDERED_TYPE)))
                .findFirst();
    }

    /** All model types, for errors. */
    static String types() {
        return Arrays.stream(values()).map(Family::type).collect(Collectors.joining(", "));
    }
}
