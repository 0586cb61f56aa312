package dev.kvasir.format;

import dev.kvasir.InvalidFileException;
import dev.kvasir.model.Activation;
import dev.kvasir.model.Arithmetic;
import dev.kvasir.model.ModelConfig;
import dev.kvasir.model.Sizes;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import tools.jackson.databind.JsonNode;

/**
 * Reads {@code config.json} of the supported {@linkplain Family families}, with the defaults of Hugging Face's configuration
 * classes. What would change the arithmetic and is not built (other activations, other biases, other rotary stretchings,
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
        Family family = family(config);
        requireSupported(config, family);
        Family.Defaults defaults = family.defaults();
        int context = config.integer("max_position_embeddings", 1, MAX_CONTEXT).orElse(defaults.context());
        int hidden = config.requiredInteger("hidden_size", 1, MAX_WIDTH);
        int heads = config.requiredInteger("num_attention_heads", 1, 1 << 16);
        int kvHeads = config.integer("num_key_value_heads", 1, 1 << 16)
                .orElse(defaults.kvHeads() == 0 ? heads : defaults.kvHeads());
        if (heads % kvHeads != 0) {
            throw config.problem(
                    "num_key_value_heads", "must divide num_attention_heads " + heads + ", found " + kvHeads);
        }
        int vocabulary = config.requiredInteger("vocab_size", 1, 1 << 24);
        int headDim = headDim(config, hidden, heads, defaults.headDim());
        int layers = config.requiredInteger("num_hidden_layers", 1, 1 << 12);
        Sizes sizes = new Sizes(
                hidden,
                config.requiredInteger("intermediate_size", 1, MAX_WIDTH),
                layers,
                heads,
                kvHeads,
                headDim,
                vocabulary,
                context);
        return new ModelConfig(
                family.type(),
                sizes,
                LayerFields.read(config, family, layers, context, new RotaryFields(config, family, headDim, context)),
                arithmetic(config, family, sizes),
                config.flag("tie_word_embeddings", defaults.tied()),
                bosToken(config, vocabulary),
                eosTokens(config, folder.resolve(GENERATION_CONFIG), vocabulary),
                ropeBlock(config, headDim));
    }

    /** The family that a folder says it is of. */
    static Family family(Fields config) {
        String type = config.text("model_type").orElse("");
        boolean reordered = config.has(ROPE_BLOCK);
        if (reordered != type.equals(REORDERED_TYPE)) {
            throw config.problem(
                    "model_type",
                    "must be " + REORDERED_TYPE + " where " + ROPE_BLOCK + " is given, and only there, found \"" + type
                            + "\" " + (reordered ? "with" : "without") + " it");
        }
        return Family.of(type)
                .orElseThrow(() ->
                        config.problem("model_type", "must be one of " + Family.types() + ", found \"" + type + "\""));
    }

    /** The family of a checked folder. */
    static Family family(Path folder) {
        Path file = folder.resolve(CONFIG);
        return family(new Fields(file, "", JsonFile.readObject(file, MAX_BYTES)));
    }

    private static Arithmetic arithmetic(Fields config, Family family, Sizes sizes) {
        float epsilon = (float)
                config.positive("rms_norm_eps", 1).orElse(family.defaults().epsilon());
        if (!family.has(Family.Trait.GEMMA)) {
            return Arithmetic.llama(epsilon, sizes.headDim());
        }
        double scalar = config.positive("query_pre_attn_scalar", 1e9).orElse(256);
        boolean capped = family == Family.GEMMA2;
        return new Arithmetic(
                epsilon,
                Activation.GELU_TANH,
                (float) Math.sqrt(sizes.hiddenSize()),
                (float) (1 / Math.sqrt(scalar)),
                cap(config, "attn_logit_softcapping", capped ? 50 : 0),
                cap(config, "final_logit_softcapping", capped ? 30 : 0));
    }

    /** A soft cap; an explicit null switches it off. */
    private static float cap(Fields config, String name, double otherwise) {
        return (float) config.positive(name, 1e9).orElse(config.node().has(name) ? 0 : otherwise);
    }

    private static void requireSupported(Fields config, Family family) {
        boolean gemma = family.has(Family.Trait.GEMMA);
        String wanted = gemma ? "gelu_pytorch_tanh" : "silu";
        for (String field : List.of("hidden_act", "hidden_activation")) {
            String found = config.text(field).orElse(wanted);
            // Gemma reads the second field alone; the first may be a remnant.
            if (!found.equals(wanted) && !(gemma && field.equals("hidden_act"))) {
                throw config.problem(field, "must be " + wanted + ", found \"" + found + "\"");
            }
        }
        for (String bias : List.of("attention_bias", "mlp_bias")) {
            if (config.flag(bias, false)) {
                throw config.problem(
                        bias, "must be false, found true: such biases are not part of a " + family.type() + " here");
            }
        }
        if (config.flag("use_bidirectional_attention", false)) {
            throw config.problem("use_bidirectional_attention", "must be false: only causal attention is supported");
        }
        if (config.has("quantization_config")) {
            throw config.problem("quantization_config", "must be absent: quantised weights are not supported");
        }
    }

    private static int headDim(Fields config, int hidden, int heads, int otherwise) {
        var given = config.integer("head_dim", 2, 1 << 12);
        if (given.isEmpty() && otherwise == 0 && hidden % heads != 0) {
            throw config.problem(
                    "head_dim",
                    "is missing, and hidden_size " + hidden + " is no multiple of num_attention_heads " + heads);
        }
        int headDim = given.orElse(otherwise == 0 ? hidden / heads : otherwise);
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
