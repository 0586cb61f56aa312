package dev.kvasir.model;

import dev.kvasir.InvalidInputException;
import dev.kvasir.cache.CacheModel;
import dev.kvasir.cache.Calibrations;
import dev.kvasir.tensor.Matrix;
import dev.kvasir.tensor.RotaryOrder;
import dev.kvasir.tensor.RotaryTable;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.IntStream;

/**
 * A model ready to run: its shape, its weights and what identifies it.
 *
 * @param name what to call it in reports; usually the folder's name
 * @param fingerprint hexadecimal digest of configuration and weights; saved caches and calibrations carry it
 * @param weightBytes bytes of the weights as stored
 * @param calibrations what was learnt of the model beforehand, for the caches that need it
 */
public record Model(
        String name,
        ModelConfig config,
        Weights weights,
        String fingerprint,
        long weightBytes,
        Calibrations calibrations) {
    /** A model without calibrations. */
    public Model(String name, ModelConfig config, Weights weights, String fingerprint, long weightBytes) {
        this(name, config, weights, fingerprint, weightBytes, Calibrations.NONE);
    }

    /**
     * Checks that every weight has the shape the configuration asks for.
     *
     * @throws InvalidInputException naming the weight, its shape and the one expected
     */
    public Model {
        int hidden = config.hiddenSize();
        check("embedding", weights.embedding(), config.vocabularySize(), hidden);
        check("output projection", weights.output(), config.vocabularySize(), hidden);
        check("final norm", weights.finalNorm(), hidden);
        if (weights.layers().size() != config.layers()) {
            throw new InvalidInputException("the weights must have " + config.layers() + " layers, found "
                    + weights.layers().size());
        }
        for (int i = 0; i < config.layers(); i++) {
            check("layer " + i + " ", weights.layers().get(i), config);
        }
    }

    /** What a cache may ask of this model; caches share what they derive from its weights if they are made with one of these. */
    public CacheModel cacheModel() {
        return new CacheModel(
                config.cacheShape(),
                rotaryTables(config),
                calibrations,
                new LayerProjections(config, weights),
                config.contextLength(),
                config.ropeBlock().isPresent());
    }

    /** A table for each layer; layers that are rotated alike share one. */
    static List<RotaryTable> rotaryTables(ModelConfig config) {
        Map<Rotary, RotaryTable> tables = new HashMap<>();
        return IntStream.range(0, config.layers())
                .mapToObj(layer -> tables.computeIfAbsent(
                        config.rotary(layer), rotary -> new RotaryTable(config.rotaryFrequencies(layer))))
                .toList();
    }

    private static void check(String prefix, Weights.Layer layer, ModelConfig config) {
        int hidden = config.hiddenSize();
        int queries = config.heads() * config.headDim();
        int keys = config.kvHeads() * config.headDim();
        check(prefix + "attention norm", layer.attentionNorm(), hidden);
        check(prefix + "q", layer.q(), queries, hidden);
        check(prefix + "k", layer.k(), keys, hidden);
        check(prefix + "v", layer.v(), keys, hidden);
        check(prefix + "attention output", layer.attentionOutput(), hidden, queries);
        check(prefix + "MLP norm", layer.mlpNorm(), hidden);
        check(prefix + "rotary order", layer.rotaryOrder(), config);
        check(prefix + "gate", layer.gate(), config.intermediateSize(), hidden);
        check(prefix + "up", layer.up(), config.intermediateSize(), hidden);
        check(prefix + "down", layer.down(), hidden, config.intermediateSize());
        Weights.Extras extras = layer.extras();
        optional(prefix + "q bias", extras.queryBias(), queries);
        optional(prefix + "k bias", extras.keyBias(), keys);
        optional(prefix + "v bias", extras.valueBias(), keys);
        optional(prefix + "q norm", extras.queryNorm(), config.headDim());
        optional(prefix + "k norm", extras.keyNorm(), config.headDim());
        optional(prefix + "attention post norm", extras.attentionPostNorm(), hidden);
        optional(prefix + "MLP post norm", extras.mlpPostNorm(), hidden);
    }

    private static void check(String name, Matrix matrix, int rows, int columns) {
        if (matrix.rows() != rows || matrix.columns() != columns) {
            throw new InvalidInputException("weights: " + name + " must be [" + rows + "][" + columns + "], found ["
                    + matrix.rows() + "][" + matrix.columns() + "]");
        }
    }

    private static void check(String name, Optional<RotaryOrder> order, ModelConfig config) {
        if (!order.map(RotaryOrder::block).equals(config.ropeBlock())) {
            throw new InvalidInputException("weights: " + name + " must be in blocks of "
                    + config.ropeBlock().map(String::valueOf).orElse("none") + ", found "
                    + order.map(RotaryOrder::block).map(String::valueOf).orElse("none"));
        }
        if (order.isPresent()
                && (order.get().kvHeads() != config.kvHeads() || order.get().headDim() != config.headDim())) {
            throw new InvalidInputException("weights: " + name + " must be for " + config.kvHeads() + " KV heads of "
                    + config.headDim() + ", found " + order.get().kvHeads() + " of "
                    + order.get().headDim());
        }
    }

    private static void optional(String name, float[] vector, int length) {
        if (vector.length > 0) {
            check(name, vector, length);
        }
    }

    private static void check(String name, float[] vector, int length) {
        if (vector.length != length) {
            throw new InvalidInputException(
                    "weights: " + name + " must be [" + length + "], found [" + vector.length + "]");
        }
    }
}
