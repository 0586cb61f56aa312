package dev.kvasir.format;

import dev.kvasir.InvalidFileException;
import dev.kvasir.model.ModelConfig;
import dev.kvasir.model.RopeScaling;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import tools.jackson.databind.JsonNode;

/**
 * Reads {@code config.json} of the Llama family, with the defaults of Hugging Face's {@code LlamaConfig}.
 *
 * <p>{@code mistral} is accepted where its sliding window is off or not smaller than the context: the arithmetic is then
 * Llama's. What would change the arithmetic and is not built (biases, other activations, other rotary stretchings,
 * quantised weights) is refused by name. {@code kvasir_llama} is a Llama whose rotary pairs were reordered by a conversion.
 */
final class ConfigFile {
    static final String CONFIG = "config.json";
    static final String GENERATION_CONFIG = "generation_config.json";
    /** Channels of a block of rotary pairs that a conversion has moved. */
    static final String ROPE_BLOCK = "kvasir_rope_block";
    /** The model type of such a model: readers that do not know the field must not take it for an ordinary Llama. */
    static final String REORDERED_TYPE = "kvasir_llama";

    private static final long MAX_BYTES = 1 << 20;
    private static final int MAX_WIDTH = 1 << 22;
    private static final int MAX_CONTEXT = 1 << 30;

    private ConfigFile() {}

    /** The checked configuration of a model folder. */
    static ModelConfig read(Path folder) {
        Path file = folder.resolve(CONFIG);
        Fields config = new Fields(file, "", JsonFile.readObject(file, MAX_BYTES));
        int context = config.integer("max_position_embeddings", 1, MAX_CONTEXT).orElse(2048);
        requireSupported(config, context);

        int hidden = config.requiredInteger("hidden_size", 1, MAX_WIDTH);
        int heads = config.requiredInteger("num_attention_heads", 1, 1 << 16);
        int kvHeads = config.integer("num_key_value_heads", 1, 1 << 16).orElse(heads);
        if (heads % kvHeads != 0) {
            throw config.problem(
                    "num_key_value_heads", "must divide num_attention_heads " + heads + ", found " + kvHeads);
        }
        int vocabulary = config.requiredInteger("vocab_size", 1, 1 << 24);
        int headDim = headDim(config, hidden, heads);
        ModelConfig llama = ModelConfig.llama(
                hidden,
                config.requiredInteger("intermediate_size", 1, MAX_WIDTH),
                config.requiredInteger("num_hidden_layers", 1, 1 << 12),
                heads,
                kvHeads,
                headDim,
                vocabulary,
                context,
                (float) config.positive("rms_norm_eps", 1).orElse(1e-6),
                ropeTheta(config),
                ropeScaling(config),
                config.flag("tie_word_embeddings", false),
                bosToken(config, vocabulary),
                eosTokens(config, folder.resolve(GENERATION_CONFIG), vocabulary));
        return new ModelConfig(
                llama.family(),
                llama.sizes(),
                llama.kinds(),
                llama.arithmetic(),
                llama.tiedEmbeddings(),
                llama.bosToken(),
                llama.eosTokens(),
                ropeBlock(config, headDim));
    }

    private static void requireSupported(Fields config, int context) {
        String type = config.text("model_type").orElse("");
        boolean reordered = config.has(ROPE_BLOCK);
        if (reordered != type.equals(REORDERED_TYPE)) {
            throw config.problem(
                    "model_type",
                    "must be " + REORDERED_TYPE + " where " + ROPE_BLOCK + " is given, and only there, found \"" + type
                            + "\" " + (reordered ? "with" : "without") + " it");
        }
        if (!reordered && !type.equals("llama") && !type.equals("mistral")) {
            throw config.problem(
                    "model_type", "must be llama, or mistral without a sliding window, found \"" + type + "\"");
        }
        // MistralConfig's own default is a window of 4096, so only an explicit null switches it off.
        boolean windowNamed = config.node().has("sliding_window");
        int window = config.integer("sliding_window", 1, Integer.MAX_VALUE)
                .orElse(type.equals("mistral") && !windowNamed ? 4096 : Integer.MAX_VALUE);
        if (window < context) {
            throw config.problem(
                    "sliding_window",
                    "must be null or at least max_position_embeddings " + context + ", found "
                            + (windowNamed ? "" : "nothing, which means ") + window);
        }
        String activation = config.text("hidden_act").orElse("silu");
        if (!activation.equals("silu")) {
            throw config.problem("hidden_act", "must be silu, found \"" + activation + "\"");
        }
        for (String bias : List.of("attention_bias", "mlp_bias")) {
            if (config.flag(bias, false)) {
                throw config.problem(bias, "must be false, found true: projections with a bias are not supported");
            }
        }
        if (config.has("quantization_config")) {
            throw config.problem("quantization_config", "must be absent: quantised weights are not supported");
        }
        requireFullRotation(config);
        config.object("rope_parameters").ifPresent(ConfigFile::requireFullRotation);
    }

    private static void requireFullRotation(Fields fields) {
        if (fields.positive("partial_rotary_factor", 1).orElse(1) != 1) {
            throw fields.problem("partial_rotary_factor", "must be 1: rotating a part of a head is not supported");
        }
    }

    private static int headDim(Fields config, int hidden, int heads) {
        var given = config.integer("head_dim", 2, 1 << 12);
        if (given.isEmpty() && hidden % heads != 0) {
            throw config.problem(
                    "head_dim",
                    "is missing, and hidden_size " + hidden + " is no multiple of num_attention_heads " + heads);
        }
        int headDim = given.orElse(hidden / heads);
        if (headDim % 2 != 0 || headDim > 1 << 12) {
            throw config.problem("head_dim", "must be even and from 2 to 4096, found " + headDim);
        }
        return headDim;
    }

    private static Optional<Integer> ropeBlock(Fields config, int headDim) {
        var given = config.integer(ROPE_BLOCK, 2, headDim);
        if (given.isEmpty()) {
            return Optional.empty();
        }
        int block = given.getAsInt();
        if (block % 2 != 0 || headDim % block != 0) {
            throw config.problem(ROPE_BLOCK, "must be even and divide head_dim " + headDim + ", found " + block);
        }
        return Optional.of(block);
    }

    private static float ropeTheta(Fields config) {
        var inner = config.object("rope_parameters").map(p -> p.positive("rope_theta", 1e30));
        var outer = config.positive("rope_theta", 1e30);
        return (float) (inner.isPresent() && inner.get().isPresent() ? inner.get() : outer).orElse(10_000);
    }

    /** {@code rope_scaling}, or {@code rope_parameters} as newer folders call it. */
    private static RopeScaling ropeScaling(Fields config) {
        Optional<Fields> old = config.object("rope_scaling");
        Optional<Fields> found = old.or(() -> config.object("rope_parameters"));
        if (old.isPresent() && config.has("rope_parameters")) {
            throw config.problem("rope_scaling", "and rope_parameters are both given, only one may be");
        }
        if (found.isEmpty()) {
            return RopeScaling.none();
        }
        Fields rope = found.get();
        String key = rope.has("rope_type") || !rope.has("type") ? "rope_type" : "type";
        String type = rope.text(key).orElse("default");
        return switch (type) {
            case "default" -> RopeScaling.none();
            case "linear" -> new RopeScaling.Linear((float) rope.requiredPositive("factor", 1e6));
            case "llama3" -> llama3(rope);
            default -> throw rope.problem(key, "must be default, linear or llama3, found \"" + type + "\"");
        };
    }

    private static RopeScaling llama3(Fields rope) {
        double low = rope.requiredPositive("low_freq_factor", 1e6);
        double high = rope.requiredPositive("high_freq_factor", 1e6);
        if (!((float) low < (float) high)) {
            throw rope.problem("low_freq_factor", "must be below high_freq_factor " + high + ", found " + low);
        }
        return new RopeScaling.Llama3(
                (float) rope.requiredPositive("factor", 1e6),
                (float) low,
                (float) high,
                rope.requiredInteger("original_max_position_embeddings", 1, MAX_CONTEXT));
    }

    private static Optional<Integer> bosToken(Fields config, int vocabulary) {
        var bos = config.integer("bos_token_id", 0, vocabulary - 1);
        return bos.isPresent() ? Optional.of(bos.getAsInt()) : Optional.empty();
    }

    /** Ids that end a text by either file: chat models name the end of a turn in the second one only. */
    private static List<Integer> eosTokens(Fields config, Path generationConfig, int vocabulary) {
        Set<Integer> ids = new TreeSet<>(tokenIds(config, "eos_token_id", vocabulary));
        if (Files.exists(generationConfig)) {
            Fields generation = new Fields(generationConfig, "", JsonFile.readObject(generationConfig, MAX_BYTES));
            ids.addAll(tokenIds(generation, "eos_token_id", vocabulary));
        }
        return List.copyOf(ids);
    }

    private static List<Integer> tokenIds(Fields fields, String name, int vocabulary) {
        if (!fields.has(name)) {
            return List.of();
        }
        JsonNode value = fields.node().get(name);
        List<Integer> ids = new ArrayList<>();
        if (value.isArray()) {
            value.forEach(id -> ids.add(fields.toInt(name, id, 0, vocabulary - 1)));
        } else {
            ids.add(fields.toInt(name, value, 0, vocabulary - 1));
        }
        return ids;
    }

    /** Used where a folder has no {@value #CONFIG}. */
    static InvalidFileException missing(Path folder, String hint) {
        return new InvalidFileException(folder, CONFIG + " is missing: not the folder of a Hugging Face model" + hint);
    }
}
