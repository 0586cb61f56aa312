package dev.kvasir.lab.info;

import dev.kvasir.model.Features;
import dev.kvasir.model.Model;
import dev.kvasir.model.ModelConfig;
import dev.kvasir.model.Weights;
import dev.kvasir.tensor.DType;
import dev.kvasir.tensor.Matrix;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;

/**
 * What a model is.
 *
 * @param architecture family of the decoder
 * @param parameters weights, tied embeddings counted once
 * @param features what it has beyond a plain Llama, in words
 * @param weightBytes bytes of the model as stored
 * @param weightBytesByType bytes of weights by element type, e.g. {@code bf16}; norms are held as f32
 * @param contextLength tokens the model was trained for
 * @param exactBytesPerToken bytes one token takes in an exact cache of 16-bit elements
 */
public record ModelInfo(
        String name,
        String architecture,
        List<String> features,
        long parameters,
        int layers,
        int hiddenSize,
        int intermediateSize,
        int heads,
        int kvHeads,
        int headDim,
        int vocabularySize,
        int contextLength,
        double ropeTheta,
        boolean tiedEmbeddings,
        long weightBytes,
        Map<String, Long> weightBytesByType,
        long exactBytesPerToken,
        String fingerprint) {
    private static final int HALF_BYTES = 2;

    /** Describes {@code model}. */
    public static ModelInfo of(Model model) {
        ModelConfig config = model.config();
        Map<DType, Long> elements = elementsByType(model.weights());
        Map<String, Long> bytes = new TreeMap<>();
        elements.forEach((type, count) -> bytes.put(type.name().toLowerCase(Locale.ROOT), type.bytes(count)));
        return new ModelInfo(
                model.name(),
                config.family(),
                Features.of(model),
                elements.values().stream().mapToLong(Long::longValue).sum(),
                config.layers(),
                config.hiddenSize(),
                config.intermediateSize(),
                config.heads(),
                config.kvHeads(),
                config.headDim(),
                config.vocabularySize(),
                config.contextLength(),
                config.rotary(0).theta(),
                config.tiedEmbeddings(),
                model.weightBytes(),
                bytes,
                2L * config.layers() * config.kvHeads() * config.headDim() * HALF_BYTES,
                model.fingerprint());
    }

    private static Map<DType, Long> elementsByType(Weights weights) {
        List<Matrix> matrices = new ArrayList<>();
        matrices.add(weights.embedding());
        if (!weights.output().equals(weights.embedding())) {
            matrices.add(weights.output());
        }
        long norms = weights.finalNorm().length;
        for (Weights.Layer layer : weights.layers()) {
            matrices.addAll(List.of(
                    layer.q(), layer.k(), layer.v(), layer.attentionOutput(), layer.gate(), layer.up(), layer.down()));
            norms += layer.attentionNorm().length + layer.mlpNorm().length;
        }
        Map<DType, Long> elements = new EnumMap<>(DType.class);
        for (Matrix matrix : matrices) {
            elements.merge(matrix.dtype(), (long) matrix.rows() * matrix.columns(), Long::sum);
        }
        elements.merge(DType.F32, norms, Long::sum);
        return elements;
    }
}
