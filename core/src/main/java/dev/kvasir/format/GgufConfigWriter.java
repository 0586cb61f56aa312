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

/**
 * Says in GGUF's keys what {@link GgufConfig} reads from them: Llama and Mistral as the architecture {@code llama}, Qwen 2 and 3
 * as their own.
 */
final class GgufConfigWriter {
    private GgufConfigWriter() {}

    /** The architecture; empty if the family is not written. */
    private static String architecture(ModelConfig config) {
        return switch (config.family()) {
            case "llama", "mistral" -> "llama";
            case "qwen2", "qwen3" -> config.family();
            default ->
                throw new InvalidInputException("models of the family " + config.family()
                        + " cannot be written as GGUF, only llama, mistral, qwen2 and qwen3");
        };
    }

    /**
     * Checks that keys and names can say all that the model is.
     *
     * @throws InvalidInputException saying what they cannot
     */
    static void requireSupported(ModelConfig config) {
        architecture(config);
        LayerKind first = config.kinds().getFirst();
        if (config.ropeBlock().isPresent()) {
            throw new InvalidInputException(
                    "the model's rotary pairs were reordered by kvasir convert, which GGUF cannot say:"
                            + " convert the model it was made of");
        }
        if (!config.kinds().stream().allMatch(first::equals)) {
            throw new InvalidInputException("layers with different windows or rotations cannot be written as GGUF");
        }
        if (first.rotary().dims() != config.headDim()) {
            throw new InvalidInputException("heads of which only " + first.rotary().dims() + " of " + config.headDim()
                    + " channels turn cannot be written as GGUF");
        }
        if (!config.arithmetic().equals(Arithmetic.llama(config.rmsNormEpsilon(), config.headDim()))) {
            throw new InvalidInputException("a model with scales or caps of its own cannot be written as GGUF");
        }
        switch (first.rotary().scaling()) {
            case RopeScaling.None _, RopeScaling.Linear _, RopeScaling.Llama3 _ -> {}
            case RopeScaling.Yarn yarn when yarn.truncate() -> {}
            case RopeScaling.Yarn _, RopeScaling.LongRope _ ->
                throw new InvalidInputException("rope scaling "
                        + first.rotary().scaling().type() + " of this kind cannot be written as GGUF");
        }
    }

    /** For each row of a head as the file has it, the row of the model's query and key weights. */
    static int[] rowsOfHead(ModelConfig config) {
        Rotary.Layout layout =
                architecture(config).equals("llama") ? Rotary.Layout.ADJACENT : Rotary.Layout.HALVES;
        Rotary rotary = config.rotary(0);
        int[] found = rotary.channels(config.headDim());
        int[] wanted = new Rotary(rotary.theta(), rotary.dims(), rotary.scaling(), layout).channels(config.headDim());
        int[] rows = new int[found.length];
        for (int channel = 0; channel < rows.length; channel++) {
            rows[wanted[channel]] = found[channel];
        }
        return rows;
    }

    /** What Llama 3.1 divides the frequency of each pair by; empty for others. */
    static float[] frequencyFactors(ModelConfig config) {
        Rotary rotary = config.rotary(0);
        if (!(rotary.scaling() instanceof RopeScaling.Llama3)) {
            return new float[0];
        }
        double[] stretched = config.rotaryFrequencies(0);
        double[] plain = new Rotary(rotary.theta(), rotary.dims(), RopeScaling.none(), rotary.layout())
                .frequencies(config.headDim(), config.contextLength());
        float[] factors = new float[rotary.dims() / 2];
        for (int i = 0; i < factors.length; i++) {
            factors[i] = (float) (plain[i] / stretched[i]);
        }
        return factors;
    }

    /** All that is not about the tokenizer. */
    static GgufPairs pairs(Model model, DType main) {
        ModelConfig config = model.config();
        String prefix = architecture(config) + ".";
        Rotary rotary = config.rotary(0);
        GgufPairs pairs = new GgufPairs()
                .text(GgufConfig.ARCHITECTURE, architecture(config))
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
        config.kinds()
                .getFirst()
                .window()
                .ifPresent(window -> pairs.unsigned(prefix + "attention.sliding_window", window));
        scaling(pairs, prefix + "rope.scaling.", rotary.scaling());
        return pairs;
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
