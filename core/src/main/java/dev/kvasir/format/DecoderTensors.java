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

/** Fetches a decoder's weights by their Hugging Face names, each checked against the configuration. */
final class DecoderTensors {
    private static final String ROPE_ORDER = "self_attn.rope_order";

    private final WeightFiles files;
    private final ModelConfig config;
    private final Family family;
    private final List<String> used = new ArrayList<>();

    DecoderTensors(WeightFiles files, ModelConfig config, Family family) {
        this.family = family;
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
        float[] finalNorm = norm("model.norm.weight", hidden);
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
        List<Matrix> qkv = together(
                prefix + "self_attn.", "qkv_proj", List.of("q_proj", "k_proj", "v_proj"), List.of(queries, keys, keys));
        List<Matrix> gateUp = together(
                prefix + "mlp.", "gate_up_proj", List.of("gate_proj", "up_proj"), List.of(intermediate, intermediate));
        boolean postNorms = family.has(Family.Trait.GEMMA);
        return new Weights.Layer(
                norm(prefix + "input_layernorm.weight", hidden),
                qkv.get(0),
                qkv.get(1),
                qkv.get(2),
                matrix(prefix + "self_attn.o_proj.weight", hidden, queries),
                norm(
                        prefix + (postNorms ? "pre_feedforward_layernorm" : "post_attention_layernorm") + ".weight",
                        hidden),
                gateUp.get(0),
                gateUp.get(1),
                matrix(prefix + "mlp.down_proj.weight", hidden, intermediate),
                rotaryOrder(prefix + ROPE_ORDER),
                extras(prefix, queries, keys));
    }

    private Weights.Extras extras(String prefix, int queries, int keys) {
        boolean biases = family.has(Family.Trait.QKV_BIAS);
        boolean headNorms = family.has(Family.Trait.HEAD_NORMS);
        boolean postNorms = family.has(Family.Trait.GEMMA);
        if (!biases && !headNorms && !postNorms) {
            return Weights.Extras.NONE;
        }
        float[] none = {};
        int hidden = config.hiddenSize();
        return new Weights.Extras(
                biases ? vector(prefix + "self_attn.q_proj.bias", queries) : none,
                biases ? vector(prefix + "self_attn.k_proj.bias", keys) : none,
                biases ? vector(prefix + "self_attn.v_proj.bias", keys) : none,
                headNorms ? norm(prefix + "self_attn.q_norm.weight", config.headDim()) : none,
                headNorms ? norm(prefix + "self_attn.k_norm.weight", config.headDim()) : none,
                postNorms ? norm(prefix + "post_attention_layernorm.weight", hidden) : none,
                postNorms ? norm(prefix + "post_feedforward_layernorm.weight", hidden) : none);
    }

    /** Matrices with a tensor for each, or slices of the one tensor that holds them all. */
    private List<Matrix> together(String prefix, String fused, List<String> single, List<Integer> rows) {
        List<Matrix> matrices = new ArrayList<>();
        int hidden = config.hiddenSize();
        if (!family.has(Family.Trait.FUSED)) {
            for (int i = 0; i < rows.size(); i++) {
                matrices.add(matrix(prefix + single.get(i) + ".weight", rows.get(i), hidden));
            }
            return matrices;
        }
        int all = rows.stream().mapToInt(Integer::intValue).sum();
        Matrix whole = matrix(prefix + fused + ".weight", all, hidden);
        long rowBytes = whole.data().byteSize() / all;
        int from = 0;
        for (int count : rows) {
            matrices.add(
                    new Matrix(whole.dtype(), count, hidden, whole.data().asSlice(from * rowBytes, count * rowBytes)));
            from += count;
        }
        return matrices;
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
                    "tensor " + name + " is not part of a " + family.type() + " model of " + config.layers()
                            + " layers, as " + ConfigFile.CONFIG + " describes it");
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

    /** A norm as it multiplies. */
    private float[] norm(String name, int length) {
        float[] weight = vector(name, length);
        if (family.has(Family.Trait.GEMMA)) {
            for (int i = 0; i < length; i++) {
                weight[i] += 1;
            }
        }
        return weight;
    }

    private float[] vector(String name, int length) {
        used.add(name);
        return files.holding(name).vector(name, length);
    }
}
