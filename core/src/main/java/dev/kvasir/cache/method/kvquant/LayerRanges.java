package dev.kvasir.cache.method.kvquant;

import dev.kvasir.cache.TokenStates;
import dev.kvasir.cache.method.kvquant.KvQuantTables.Limits;

/** The first pass over one layer: how far numbers reach, channel by channel of keys and in all. */
final class LayerRanges {
    private static final int CHANNEL_BINS = 512;
    private static final int LAYER_BINS = 1 << 13;

    private final int width;
    /** Channels of keys before RoPE, then after. */
    private final Percentiles[] channels;

    private final Percentiles before = new Percentiles(LAYER_BINS);
    private final Percentiles after = new Percentiles(LAYER_BINS);
    private final Percentiles values = new Percentiles(LAYER_BINS);

    LayerRanges(int width) {
        this.width = width;
        channels = new Percentiles[2 * width];
        for (int c = 0; c < channels.length; c++) {
            channels[c] = new Percentiles(CHANNEL_BINS);
        }
    }

    /** Takes in the tokens of a sequence from {@code first} on. */
    void see(TokenStates states, int first) {
        int tokens = states.count() - first;
        seeKeys(states.keysBeforeRope(), first, tokens, 0, before);
        seeKeys(states.keys(), first, tokens, width, after);
        values.add(states.values(), first * width, 1, tokens * width);
    }

    private void seeKeys(float[] keys, int first, int tokens, int channel, Percentiles all) {
        for (int c = 0; c < width; c++) {
            channels[channel + c].add(keys, first * width + c, width, tokens);
        }
        all.add(keys, first * width, 1, tokens * width);
    }

    /** Thresholds of the whole layer, with half of {@code outliers} beyond each. */
    Limits limits(Arrangement arrangement, double outliers) {
        Percentiles all = !arrangement.keys() ? values : arrangement.beforeRope() ? before : after;
        return new Limits(all.at(outliers / 2), all.at(1 - outliers / 2));
    }

    /** The lowest inlier of each channel, then the highest of each. */
    float[] channels(Arrangement arrangement, double outliers) {
        float[] pair = new float[2 * width];
        Limits limits = limits(arrangement, outliers);
        for (int c = 0; c < width; c++) {
            Percentiles channel = channels[arrangement.beforeRope() ? c : width + c];
            switch (arrangement.thresholds()) {
                case NONE -> {
                    pair[c] = channel.min();
                    pair[width + c] = channel.max();
                }
                case VECTOR -> {
                    pair[c] = channel.at(outliers / 2);
                    pair[width + c] = channel.at(1 - outliers / 2);
                }
                case GLOBAL -> {
                    pair[c] = Math.clamp(channel.min(), limits.low(), limits.high());
                    pair[width + c] = Math.clamp(channel.max(), limits.low(), limits.high());
                }
            }
        }
        return pair;
    }
}
