package dev.kvasir.cache.method.kvquant;

import java.util.ArrayList;
import java.util.List;

/**
 * How one side of a cache is cut into vectors and freed of outliers: what a codebook is fitted for.
 *
 * @param keys keys, otherwise values
 * @param beforeRope keys as they are before RoPE; false for values
 * @param byChannel ranges of channels, known from calibration, otherwise ranges of tokens, made as they come
 */
record Arrangement(boolean keys, boolean beforeRope, boolean byChannel, Thresholds thresholds) {
    /** Values of a cache: always by token. */
    static Arrangement values(Thresholds thresholds) {
        return new Arrangement(false, false, false, thresholds);
    }

    /** Every arrangement that options can ask for. */
    static List<Arrangement> all() {
        List<Arrangement> all = new ArrayList<>();
        for (Thresholds thresholds : Thresholds.values()) {
            for (boolean beforeRope : new boolean[] {true, false}) {
                for (boolean byChannel : new boolean[] {true, false}) {
                    all.add(new Arrangement(true, beforeRope, byChannel, thresholds));
                }
            }
            all.add(values(thresholds));
        }
        return all;
    }

    /** {@code v}, or keys before or after RoPE: what thresholds of whole tensors are named by. */
    String tensor() {
        return keys ? (beforeRope ? "k.pre" : "k.post") : "v";
    }

    /** The name in calibrations, such as {@code k.pre.channel.vector} or {@code v.token.none}. */
    String text() {
        return tensor() + (byChannel ? ".channel." : ".token.") + thresholds.text();
    }

    /** The tensor with the lowest and highest inlier of each channel, {@code [layers][2][width]}. */
    String rangeName() {
        return text() + ".range";
    }

    /** The tensor with the thresholds of the whole layer, {@code [layers][2]}. */
    String thresholdName() {
        return tensor() + ".threshold";
    }

    /** The tensor with levels to make codes with and levels that codes mean under Q-Norm, {@code [layers][2][2^bits]}. */
    String levelsName(Weighting weighting, int bits) {
        return text() + "." + weighting.text() + ".nuq" + bits;
    }
}
