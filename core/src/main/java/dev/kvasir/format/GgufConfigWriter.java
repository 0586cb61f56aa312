package dev.kvasir.format;

import dev.kvasir.InvalidInputException;
import dev.kvasir.format.gguf.GgufPairs;
import dev.kvasir.model.Arithmetic;
import dev.kvasir.model.LayerKind;
import dev.kvasir.model.Model;
import dev.kvasir.model.ModelConfig;
import dev.kvasir.model.RopeScaling;
import dev.kvasir.model.Rotary;
import dev.kvasir.tensor.DType;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * Says in GGUF's keys what {@link GgufConfig} reads from them: Llama, Mistral and SmolLM as the architecture {@code llama}, the
 * others as their own.
 */
final class GgufConfigWriter {
    private GgufConfigWriter() {}

    private static String architecture(ModelConfig config) {
        return switch (config.family()) {
            case "llama", "mistral" -> "llama";
            case "qwen2", "qwen3", "phi3", "gemma2", "gemma3" -> config.family();
            case "gemma3_text" -> "gemma3";
            default ->
                throw new InvalidInputException("models of the family " + config.family()
                        + " cannot be written as GGUF, only llama, mistral, qwen2, qwen3, phi3, gemma2 and gemma3");
        };
    }

    /** Whether the architecture keeps queries, keys and values in one tensor, and gate and up in one. */
    static boolean fused(ModelConfig config) {
        return architecture(config).equals("phi3");
    }

    /**
     * Checks that keys and names can say all that the model is.
     *
     * @throws InvalidInputException saying what they cannot
     */
    static void requireSupported(ModelConfig config) {
        String architecture = architecture(config);
        if (config.ropeBlock().isPresent()) {
            throw new InvalidInputException(
                    "the model's rotary pairs were reordered by kvasir convert, which GGUF cannot say:"
                            + " convert the model it was made of");
        }
        for (int i = 0; i < config.layers(); i++) {
            LayerKind kind = config.kinds().get(i);
            LayerKind usual = local(architecture, i) ? firstLocal(config) : firstGlobal(config);
            if (!kind.equals(usual)) {
                throw new InvalidInputException("layer " + i + " has another window or rotation than layers of "
                        + architecture + " have there, which GGUF cannot say");
            }
        }
        LayerKind first = config.kinds().getFirst();
        if (architecture.startsWith("gemma") && first.window().isEmpty()) {
            throw new InvalidInputException("a " + architecture + " without windows cannot be written as GGUF");
        }
        if (architecture.equals("gemma3") && !first.rotary().scaling().equals(RopeScaling.none())) {
            throw new InvalidInputException("rope scaling of layers with a window cannot be written as GGUF");
        }
        Arithmetic usual = arithmetic(config, architecture);
        if (!config.arithmetic().equals(usual)) {
            throw new InvalidInputException("GGUF files of " + architecture + " cannot say the model's "
                    + config.arithmetic() + ", only " + usual);
        }
        requireRotary(architecture, config.kinds().getLast());
        global(config).ifPresent(kind -> requireRotary(architecture, kind));
    }

    private static void requireRotary(String architecture, LayerKind kind) {
        Rotary rotary = kind.rotary();
        boolean said = switch (rotary.scaling()) {
            case RopeScaling.None _, RopeScaling.Linear _ -> true;
            case RopeScaling.Llama3 _ -> !architecture.equals("phi3");
            case RopeScaling.Yarn yarn -> yarn.truncate();
            case RopeScaling.LongRope rope ->
                architecture.equals("phi3") || (sameFactors(rope) && rope.attention() == 1);
        };
        if (!said || rotary.dims() == 0) {
            throw new InvalidInputException("rope scaling " + rotary.scaling().type() + " over " + rotary.dims()
                    + " channels of this kind cannot be written as GGUF of " + architecture);
        }
    }

    private static boolean sameFactors(RopeScaling.LongRope rope) {
        return rope.shortFactors().equals(rope.longFactors());
    }

    /** Whether the architecture gives the layer a window, if it has one at all. */
    private static boolean local(String architecture, int layer) {
        return switch (architecture) {
            case "gemma2" -> layer % 2 == 0;
            case "gemma3" -> layer % 6 != 5;
            default -> true;
        };
    }

    private static LayerKind firstLocal(ModelConfig config) {
        return config.kinds().getFirst();
    }

    /** What a layer must be that sees everything: like the first of its kind. */
    private static LayerKind firstGlobal(ModelConfig config) {
        return global(config).orElseGet(() -> LayerKind.global(config.rotary(0)));
    }

    private static Optional<LayerKind> global(ModelConfig config) {
        return config.kinds().stream().filter(kind -> kind.window().isEmpty()).findFirst();
    }

    /** The rotation that the file's plain keys tell of: that of the layers that see everything, where there are any. */
    private static Rotary rotary(ModelConfig config) {
        return global(config).orElse(config.kinds().getFirst()).rotary();
    }

    /** As {@link GgufConfig} works it out. */
    private static Arithmetic arithmetic(ModelConfig config, String architecture) {
        Arithmetic found = config.arithmetic();
        if (!architecture.startsWith("gemma")) {
            return Arithmetic.llama(config.rmsNormEpsilon(), config.headDim());
        }
        return GgufConfig.gemma(
                architecture, config.sizes(), config.rmsNormEpsilon(), found.scoreCap(), found.logitCap());
    }

    /** For each row of a head as the file has it, the row of the model's query and key weights. */
    static int[] rowsOfHead(ModelConfig config) {
        Rotary.Layout layout = architecture(config).equals("llama") ? Rotary.Layout.ADJACENT : Rotary.Layout.HALVES;
        Rotary rotary = config.rotary(0);
        int[] found = rotary.channels(config.headDim());
        int[] wanted = new Rotary(rotary.theta(), rotary.dims(), rotary.scaling(), layout).channels(config.headDim());
        int[] rows = new int[found.length];
        for (int channel = 0; channel < rows.length; channel++) {
            rows[wanted[channel]] = found[channel];
        }
        return rows;
    }

    /** Tensors of what frequencies are divided by: Llama 3.1's for each pair, Phi-3's for short and for long contexts. */
    static Map<String, float[]> factors(ModelConfig config) {
        Map<String, float[]> tensors = new LinkedHashMap<>();
        Rotary rotary = rotary(config);
        switch (rotary.scaling()) {
            case RopeScaling.Llama3 _ -> tensors.put(GgufWeights.FREQUENCY_FACTORS, divisors(rotary, config));
            case RopeScaling.LongRope rope
            when fused(config) -> {
                tensors.put(GgufWeights.LONG_FACTORS, floats(rope.longFactors()));
                tensors.put(GgufWeights.SHORT_FACTORS, floats(rope.shortFactors()));
            }
            case RopeScaling.LongRope rope -> tensors.put(GgufWeights.FREQUENCY_FACTORS, floats(rope.longFactors()));
            case RopeScaling.None _, RopeScaling.Linear _, RopeScaling.Yarn _ -> {}
        }
        return tensors;
    }

    private static float[] divisors(Rotary rotary, ModelConfig config) {
        double[] stretched = rotary.frequencies(config.headDim(), config.contextLength());
        double[] plain = new Rotary(rotary.theta(), rotary.dims(), RopeScaling.none(), rotary.layout())
                .frequencies(config.headDim(), config.contextLength());
        float[] factors = new float[rotary.dims() / 2];
        for (int i = 0; i < factors.length; i++) {
            factors[i] = (float) (plain[i] / stretched[i]);
        }
        return factors;
    }

    private static float[] floats(List<Float> values) {
        float[] floats = new float[values.size()];
        for (int i = 0; i < floats.length; i++) {
            floats[i] = values.get(i);
        }
        return floats;
    }

    /** All that is not about the tokenizer. */
    static GgufPairs pairs(Model model, DType main) {
        ModelConfig config = model.config();
        String prefix = architecture(config) + ".";
        Rotary rotary = rotary(config);
        GgufPairs pairs = new GgufPairs()
                .text(GgufConfig.ARCHITECTURE, architecture(config))
                .text("general.type", "model")
                .text("general.name", model.name())
                .unsigned("general.file_type", fileType(main))
                .unsigned(prefix + "context_length", config.contextLength())
                .unsigned(prefix + "embedding_length", config.hiddenSize())
                .unsigned(prefix + "block_count", config.layers())
                .unsigned(prefix + "feed_forward_length", config.intermediateSize())
                .unsigned(prefix + "attention.head_count", config.heads())
                .unsigned(prefix + "attention.head_count_kv", config.kvHeads())
                .unsigned(prefix + "attention.key_length", config.headDim())
                .unsigned(prefix + "attention.value_length", config.headDim())
                .number(prefix + "attention.layer_norm_rms_epsilon", config.rmsNormEpsilon())
                .unsigned(prefix + "vocab_size", config.vocabularySize())
                .unsigned(prefix + "rope.dimension_count", rotary.dims())
                .number(prefix + "rope.freq_base", rotary.theta());
        if (main.isPacked()) {
            pairs.unsigned("general.quantization_version", 2);
        }
        LayerKind first = config.kinds().getFirst();
        first.window().ifPresent(window -> pairs.unsigned(prefix + "attention.sliding_window", window));
        if (prefix.startsWith("gemma")) {
            gemma(pairs, prefix, config);
        }
        scaling(pairs, prefix + "rope.scaling.", rotary.scaling());
        return pairs;
    }

    private static void gemma(GgufPairs pairs, String prefix, ModelConfig config) {
        Arithmetic arithmetic = config.arithmetic();
        if (arithmetic.scoreCap() > 0) {
            pairs.number(prefix + "attn_logit_softcapping", arithmetic.scoreCap());
        }
        if (arithmetic.logitCap() > 0) {
            pairs.number(prefix + "final_logit_softcapping", arithmetic.logitCap());
        }
        if (prefix.startsWith("gemma3")) {
            pairs.number(prefix + "rope.freq_base_swa", config.rotary(0).theta());
        }
    }

    private static void scaling(GgufPairs pairs, String prefix, RopeScaling scaling) {
        switch (scaling) {
            case RopeScaling.Linear linear ->
                pairs.text(prefix + "type", "linear").number(prefix + "factor", linear.factor());
            case RopeScaling.Yarn yarn ->
                pairs.text(prefix + "type", "yarn")
                        .number(prefix + "factor", yarn.factor())
                        .unsigned(prefix + "original_context_length", yarn.originalContextLength())
                        .number(prefix + "yarn_beta_fast", yarn.betaFast())
                        .number(prefix + "yarn_beta_slow", yarn.betaSlow())
                        .number(prefix + "attn_factor", (float)
                                (yarn.attention() / RopeScaling.Yarn.defaultAttention(yarn.factor(), 1)));
            case RopeScaling.LongRope rope
            when !sameFactors(rope) || rope.attention() != 1 ->
                pairs.unsigned(prefix + "original_context_length", rope.originalContextLength())
                        .number(prefix + "attn_factor", rope.attention());
            case RopeScaling.None _, RopeScaling.Llama3 _, RopeScaling.LongRope _ -> {}
        }
    }

    /** llama.cpp's number for files mostly of this type. */
    private static int fileType(DType main) {
        return switch (main) {
            case F32 -> 0;
            case F16 -> 1;
            case Q4_0 -> 2;
            case Q4_1 -> 3;
            case Q8_0 -> 7;
            case Q5_0 -> 8;
            case Q5_1 -> 9;
            case BF16 -> 32;
            default -> throw new IllegalArgumentException(main + " is not written");
        };
    }
}
