package dev.kvasir.format;

import dev.kvasir.InvalidFileException;
import dev.kvasir.format.gguf.GgmlType;
import dev.kvasir.format.gguf.GgufFile;
import dev.kvasir.format.gguf.GgufTensor;
import dev.kvasir.model.ModelConfig;
import dev.kvasir.model.Weights;
import dev.kvasir.tensor.DType;
import dev.kvasir.tensor.Matrix;
import dev.kvasir.tensor.RowReader;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;

/** Fetches a model's weights from a GGUF file by the names llama.cpp gives them; matrices are views of the mapping. */
final class GgufWeights {
    static final String EMBEDDING = "token_embd.weight";
    static final String OUTPUT = "output.weight";
    /** Divisors of the rotary frequencies: Llama 3.1's, and Phi-3's for short and long contexts. */
    static final String FREQUENCY_FACTORS = "rope_freqs.weight";

    static final String SHORT_FACTORS = "rope_factors_short.weight";
    static final String LONG_FACTORS = "rope_factors_long.weight";

    private static final float[] LACKING = {};

    private final GgufFile file;
    private final Set<String> used = new LinkedHashSet<>();

    GgufWeights(GgufFile file) {
        this.file = file;
    }

    /** All weights of the model. */
    Weights weights(ModelConfig config) {
        int hidden = config.hiddenSize();
        Matrix embedding = matrix(EMBEDDING, config.vocabularySize(), hidden);
        List<Weights.Layer> layers = new ArrayList<>();
        for (int i = 0; i < config.layers(); i++) {
            layers.add(layer("blk." + i + ".", config));
        }
        float[] norm = vector("output_norm.weight", hidden);
        Matrix output = config.tiedEmbeddings() ? embedding : matrix(OUTPUT, config.vocabularySize(), hidden);
        for (String factors : List.of(FREQUENCY_FACTORS, SHORT_FACTORS, LONG_FACTORS)) {
            if (file.find(factors).isPresent()) {
                used.add(factors);
            }
        }
        return new Weights(embedding, layers, norm, output);
    }

    private Weights.Layer layer(String prefix, ModelConfig config) {
        int hidden = config.hiddenSize();
        int wide = config.intermediateSize();
        int queries = config.heads() * config.headDim();
        int keys = config.kvHeads() * config.headDim();
        boolean fused = file.find(prefix + "attn_qkv.weight").isPresent();
        List<Matrix> qkv = fused
                ? slices(prefix + "attn_qkv.weight", hidden, queries, keys, keys)
                : List.of(
                        matrix(prefix + "attn_q.weight", queries, hidden),
                        matrix(prefix + "attn_k.weight", keys, hidden),
                        matrix(prefix + "attn_v.weight", keys, hidden));
        boolean gateWithin = file.find(prefix + "ffn_gate.weight").isEmpty();
        List<Matrix> mlp = gateWithin
                ? slices(prefix + "ffn_up.weight", hidden, wide, wide)
                : List.of(
                        matrix(prefix + "ffn_gate.weight", wide, hidden),
                        matrix(prefix + "ffn_up.weight", wide, hidden));
        return new Weights.Layer(
                vector(prefix + "attn_norm.weight", hidden),
                qkv.get(0),
                qkv.get(1),
                qkv.get(2),
                matrix(prefix + "attn_output.weight", hidden, queries),
                vector(prefix + "ffn_norm.weight", hidden),
                mlp.get(0),
                mlp.get(1),
                matrix(prefix + "ffn_down.weight", hidden, wide),
                Optional.empty(),
                extras(prefix, config, queries, keys));
    }

    private Weights.Extras extras(String prefix, ModelConfig config, int queries, int keys) {
        int hidden = config.hiddenSize();
        return new Weights.Extras(
                optional(prefix + "attn_q.bias", queries),
                optional(prefix + "attn_k.bias", keys),
                optional(prefix + "attn_v.bias", keys),
                optional(prefix + "attn_q_norm.weight", config.headDim()),
                optional(prefix + "attn_k_norm.weight", config.headDim()),
                optional(prefix + "post_attention_norm.weight", hidden),
                optional(prefix + "post_ffw_norm.weight", hidden));
    }

    /**
     * Refuses tensors of the decoder that were not fetched, such as further layers or experts: a model computed without them
     * would not be the model in the file.
     */
    void requireNothingLeft(ModelConfig config) {
        Set<String> left = new TreeSet<>();
        file.tensors().forEach(tensor -> left.add(tensor.name()));
        left.removeAll(used);
        // Tables that follow from the configuration; old converters stored them with each layer.
        left.removeIf(name -> name.endsWith(".rope_freqs.weight") || name.endsWith(".attn_rot_embd.weight"));
        for (String name : left) {
            throw new InvalidFileException(
                    file.path(),
                    "tensor " + name + " is not part of a model of " + config.layers() + " layers of architecture "
                            + config.family());
        }
    }

    /** Tensors that were fetched. */
    List<GgufTensor> used() {
        return used.stream().map(file::tensor).toList();
    }

    Matrix matrix(String name, int rows, int columns) {
        GgufTensor tensor = shaped(name, List.of((long) rows, (long) columns));
        return new Matrix(weightType(tensor), rows, columns, file.bytes(tensor));
    }

    /** Rows of a matrix that the file keeps as one. */
    private List<Matrix> slices(String name, int columns, int... rows) {
        Matrix whole = matrix(name, Arrays.stream(rows).reduce(0, Math::addExact), columns);
        long rowBytes = whole.data().byteSize() / whole.rows();
        List<Matrix> slices = new ArrayList<>();
        long from = 0;
        for (int count : rows) {
            slices.add(
                    new Matrix(whole.dtype(), count, columns, whole.data().asSlice(from * rowBytes, count * rowBytes)));
            from += count;
        }
        return Collections.unmodifiableList(slices);
    }

    /** A weight {@code [length]} widened to f32. */
    float[] vector(String name, int length) {
        GgufTensor tensor = shaped(name, List.of((long) length));
        float[] values = new float[length];
        Matrix row = new Matrix(weightType(tensor), 1, length, file.bytes(tensor));
        RowReader.read(row, 0, 0, length, values, 0);
        return values;
    }

    private float[] optional(String name, int length) {
        return file.find(name).isPresent() ? vector(name, length) : LACKING;
    }

    private GgufTensor shaped(String name, List<Long> expected) {
        GgufTensor tensor = file.tensor(name);
        if (!tensor.shape().equals(expected)) {
            throw new InvalidFileException(
                    file.path(),
                    "tensor " + name + " has shape " + tensor.shapeText() + ", expected "
                            + GgufTensor.shapeText(expected));
        }
        used.add(name);
        return tensor;
    }

    private DType weightType(GgufTensor tensor) {
        return weightType(tensor.type())
                .orElseThrow(() -> new InvalidFileException(
                        file.path(),
                        "tensor " + tensor.name() + " has type " + tensor.type() + ", weights must be one of "
                                + List.of(DType.values())));
    }

    /** The type a weight of these elements has; empty where weights cannot be of this type. */
    static Optional<DType> weightType(GgmlType type) {
        return Arrays.stream(DType.values())
                .filter(dtype -> dtype.name().equals(type.name()))
                .findFirst();
    }
}
