package dev.kvasir.model;

import java.util.ArrayList;
import java.util.List;

/**
 * What a layer does to queries and keys after their projections.
 *
 * @param turns whether positions turn them at all
 */
record LayerHeads(HeadFinish queries, HeadFinish keys, boolean turns) {
    /** Of all layers of a model. */
    static List<LayerHeads> of(Model model) {
        List<LayerHeads> all = new ArrayList<>();
        for (int i = 0; i < model.config().layers(); i++) {
            all.add(of(model.config(), i, model.weights().layers().get(i).extras()));
        }
        return List.copyOf(all);
    }

    private static LayerHeads of(ModelConfig config, int layer, Weights.Extras extras) {
        int headDim = config.headDim();
        Rotary rotary = config.rotary(layer);
        int[] channels = rotary.isInPlace(headDim) ? new int[0] : rotary.channels(headDim);
        // Caches divide scores by the root of the head's width: what the model wants instead is made up for here.
        double scale = config.arithmetic().scoreScale() * Math.sqrt(headDim);
        float plain = Math.abs(scale - 1) < 1e-6 ? 1 : (float) scale;
        float turned = plain * rotary.gain(config.contextLength());
        float epsilon = config.rmsNormEpsilon();
        return new LayerHeads(
                new HeadFinish(
                        headDim,
                        extras.queryBias(),
                        extras.queryNorm(),
                        epsilon,
                        channels,
                        scales(headDim, rotary.dims(), turned, plain)),
                new HeadFinish(headDim, extras.keyBias(), extras.keyNorm(), epsilon, channels, new float[0]),
                rotary.dims() > 0);
    }

    /** One factor for each channel as the decoder lays them; empty if all are 1. */
    private static float[] scales(int headDim, int dims, float turned, float plain) {
        if (plain == 1 && (turned == 1 || dims == 0)) {
            return new float[0];
        }
        float[] scales = new float[headDim];
        int half = headDim / 2;
        for (int i = 0; i < half; i++) {
            scales[i] = i < dims / 2 ? turned : plain;
            scales[half + i] = scales[i];
        }
        return scales;
    }
}
