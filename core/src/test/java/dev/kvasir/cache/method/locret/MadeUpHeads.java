package dev.kvasir.cache.method.locret;

import dev.kvasir.cache.CacheShape;
import dev.kvasir.cache.Calibration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;

/** Heads that were never trained: their scores are as good as random, and of both signs. */
public final class MadeUpHeads {
    private MadeUpHeads() {}

    /** A calibration of such heads. */
    public static Calibration calibration(CacheShape shape, String fingerprint, int width) {
        return new Calibration(
                RetainingHeads.METHOD,
                Map.of("dR", Integer.toString(width)),
                fingerprint,
                RetainingHeads.tensors(heads(shape, width), shape));
    }

    static List<RetainingHead> heads(CacheShape shape, int width) {
        List<RetainingHead> heads = new ArrayList<>();
        Random random = new Random(41);
        for (int layer = 0; layer < shape.layers(); layer++) {
            float[] w1 = normal(random, RetainingHead.inputs(shape) * width, 0.1);
            float[] w2 = normal(random, width * shape.kvHeads(), 0.5);
            heads.add(new RetainingHead(shape, width, w1, w2));
        }
        return heads;
    }

    private static float[] normal(Random random, int count, double spread) {
        float[] numbers = new float[count];
        for (int i = 0; i < count; i++) {
            numbers[i] = (float) (random.nextGaussian() * spread);
        }
        return numbers;
    }
}
