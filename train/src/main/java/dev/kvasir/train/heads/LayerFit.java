package dev.kvasir.train.heads;

import dev.kvasir.cache.CacheShape;
import dev.kvasir.cache.Calibration;
import dev.kvasir.cache.method.locret.RetainingHead;
import java.util.Map;
import java.util.SplittableRandom;

/**
 * One layer's head under training: weights, moments and the scale of its labels.
 *
 * @param moments of W1 and of W2, each first and second
 */
record LayerFit(RetainingHead head, float[][] moments, LabelScale scale) {
    /** W1 is drawn with this spread; W2 with a tenth of it, so that first scores are small. */
    private static final double SPREAD = 0.02;

    private static final String[] MOMENTS = {"m1", "v1", "m2", "v2"};

    /** A head that has learnt nothing. */
    static LayerFit fresh(CacheShape shape, int width, long seed, LabelScale scale) {
        SplittableRandom random = new SplittableRandom(seed);
        float[] w1 = normal(random, RetainingHead.inputs(shape) * width, SPREAD);
        float[] w2 = normal(random, width * shape.kvHeads(), SPREAD / 10);
        float[][] moments = {new float[w1.length], new float[w1.length], new float[w2.length], new float[w2.length]};
        return new LayerFit(new RetainingHead(shape, width, w1, w2), moments, scale);
    }

    private static float[] normal(SplittableRandom random, int count, double spread) {
        float[] numbers = new float[count];
        for (int i = 0; i < count; i++) {
            numbers[i] = (float) (random.nextGaussian() * spread);
        }
        return numbers;
    }

    /**
     * One step of AdamW.
     *
     * @param step counts from 1
     */
    void step(HeadGradient gradient, double rate, long step) {
        new AdamW(head.w1(), moments[0], moments[1]).step(gradient.w1(), rate, step);
        new AdamW(head.w2(), moments[2], moments[3]).step(gradient.w2(), rate, step);
    }

    /** The head with its scores on the labels' own scale. */
    RetainingHead finished(CacheShape shape) {
        return new RetainingHead(shape, head.width(), head.w1().clone(), scale.folded(head.w2()));
    }

    /** Adds what a checkpoint needs beside the weights. */
    void write(int layer, Map<String, Calibration.Tensor> tensors) {
        for (int i = 0; i < MOMENTS.length; i++) {
            tensors.put(name(layer, MOMENTS[i]), Calibration.Tensor.of(moments[i], moments[i].length));
        }
        tensors.put(name(layer, "mean"), Calibration.Tensor.of(scale.mean(), scale.mean().length));
        tensors.put(name(layer, "spread"), Calibration.Tensor.of(scale.spread(), scale.spread().length));
    }

    /** What {@link #write} wrote, of a head whose weights are read already. */
    static LayerFit read(int layer, RetainingHead head, CacheShape shape, Calibration checkpoint) {
        int[] lengths = {head.w1().length, head.w1().length, head.w2().length, head.w2().length};
        float[][] moments = new float[MOMENTS.length][];
        for (int i = 0; i < MOMENTS.length; i++) {
            moments[i] = checkpoint.data(name(layer, MOMENTS[i]), lengths[i]);
        }
        return new LayerFit(
                head,
                moments,
                new LabelScale(
                        checkpoint.data(name(layer, "mean"), shape.kvHeads()),
                        checkpoint.data(name(layer, "spread"), shape.kvHeads())));
    }

    private static String name(int layer, String what) {
        return "layer." + layer + "." + what;
    }
}
