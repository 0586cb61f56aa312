package dev.kvasir.format;

import dev.kvasir.InvalidFileException;
import dev.kvasir.InvalidInputException;
import dev.kvasir.model.ModelConfig;
import dev.kvasir.model.Weights;
import dev.kvasir.tensor.Matrix;
import dev.kvasir.tensor.RotaryOrder;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;

/** Fetches a Llama's weights by their Hugging Face names, each checked against the configuration. */
final class LlamaTensors {
    private static final String ROPE_ORDER = "self_attn.rope_order";

    private final WeightFiles files;
    private final ModelConfig config;
    private final List<String> used = new ArrayList<>();

    LlamaTensors(WeightFiles files, ModelConfig config) {
        this.files = files;
        this.config = config;
    }

    /** All weights. An embedding tied to the output wins over an output that is stored too, as in Hugging Face's reader. */
    Weights weights() {
        int hidden = config.hiddenSize();
        Matrix embedding = matrix("model.embed_tokens.weight", config.vocabularySize(), hidden);
        List<Weights.Layer> layers = new ArrayList<>();
        for (int i = 0; i < config.layers(); i++) {
            layers.add(layer(prefix(i)));
        }
        float[] finalNorm = vector("model.norm.weight", hidden);
        Matrix output = config.tiedEmbeddings() ? embedding : matrix("lm_head.weight", config.vocabularySize(), hidden);
        return new Weights(embedding, List.copyOf(layers), finalNorm, output);
    }

    private static String prefix(int layer) {
        return "model.layers." + layer + ".";
    }

    static String queryWeight(int layer) {
        return prefix(layer) + "self_attn.q_proj.weight";
    }

    static String keyWeight(int layer) {
        return prefix(layer) + "self_attn.k_proj.weight";
    }

    /** Where the rotary pairs of a layer lie, I32 {@code [kvHeads][headDim / 2]}; only in converted models. */
    static String rotaryOrder(int layer) {
        return prefix(layer) + ROPE_ORDER;
    }

    private Optional<RotaryOrder> rotaryOrder(String name) {
        if (config.ropeBlock().isEmpty()) {
            return Optional.empty();
        }
        used.add(name);
        SafetensorsFile file = files.holding(name);
        int half = config.headDim() / 2;
        int[] numbers = file.integers(name, List.of((long) config.kvHeads(), (long) half));
        int[][] pairs = new int[config.kvHeads()][];
        for (int h = 0; h < pairs.length; h++) {
            pairs[h] = Arrays.copyOfRange(numbers, h * half, (h + 1) * half);
        }
        try {
            return Optional.of(new RotaryOrder(config.ropeBlock().get(), pairs));
        } catch (InvalidInputException e) {
            throw new InvalidFileException(file.path(), "tensor " + name + ": " + e.getMessage(), e);
        }
    }

    private Weights.Layer layer(String prefix) {
        int hidden = config.hiddenSize();
        int intermediate = config.intermediateSize();
        int queries = config.heads() * config.headDim();
        int keys = config.kvHeads() * config.headDim();
        return new Weights.Layer(
                vector(prefix + "input_layernorm.weight", hidden),
                matrix(prefix + "self_attn.q_proj.weight", queries, hidden),
                matrix(prefix + "self_attn.k_proj.weight", keys, hidden),
                matrix(prefix + "self_attn.v_proj.weight", keys, hidden),
                matrix(prefix + "self_attn.o_proj.weight", hidden, queries),
                vector(prefix + "post_attention_layernorm.weight", hidden),
                matrix(prefix + "mlp.gate_proj.weight", intermediate, hidden),
                matrix(prefix + "mlp.up_proj.weight", intermediate, hidden),
                matrix(prefix + "mlp.down_proj.weight", hidden, intermediate),
                rotaryOrder(prefix + ROPE_ORDER),
                Weights.Extras.NONE);
    }

    /**
     * Refuses decoder tensors that were not fetched, such as biases or further layers: a model computed without them would
     * not be the model in the files. The rotary frequencies that old folders store follow from the configuration.
     */
    void requireNothingLeft() {
        Set<String> left = new TreeSet<>(files.names());
        used.forEach(left::remove);
        left.removeIf(name -> !name.startsWith("model.") || name.endsWith(".rotary_emb.inv_freq"));
        for (String name : left) {
            throw new InvalidFileException(
                    files.holding(name).path(),
                    "tensor " + name + " is not part of a Llama of " + config.layers() + " layers without biases, as "
                            + ConfigFile.CONFIG + " describes it");
        }
    }

    /** Names of the tensors that were fetched, in the order of the fetching. */
    List<String> used() {
        return List.copyOf(used);
    }

    private Matrix matrix(String name, int rows, int columns) {
        used.add(name);
        return files.holding(name).matrix(name, rows, columns);
    }

    private float[] vector(String name, int length) {
        used.add(name);
        return files.holding(name).vector(name, length);
    }
}
