package dev.kvasir.cache.method.cskv;

import dev.kvasir.cache.kernel.Element;

/**
 * What the cache's quantizer does to latents, number by number, for training: the same axes, groups and roundings as {@link
 * dev.kvasir.cache.kernel.Quantizer#MIN_MAX} behind F16 latents.
 *
 * <p>The gradient passes straight through where a number lies strictly inside its group's range, and is 0 at its ends
 * (repository of CSKV, quantizers).
 *
 * @param bits of a code
 * @param byChannel whether {@code block} tokens of a channel share a scale, or {@code group} channels of a token
 */
record LatentQuantizer(int bits, boolean byChannel, int block, int group) {
    /**
     * Rounds latents in place.
     *
     * @param latents {@code [count][rank]}, from a token that begins a block; whole blocks where channels share a scale
     * @param inside receives 1 where the gradient passes, else 0
     */
    void round(float[] latents, int count, int rank, float[] inside) {
        Element.F16.round(latents, 0, count * rank);
        if (byChannel) {
            for (int t = 0; t < count; t += block) {
                for (int c = 0; c < rank; c++) {
                    round(latents, t * rank + c, rank, block, inside);
                }
            }
        } else {
            for (int at = 0; at < count * rank; at += group) {
                round(latents, at, 1, group, inside);
            }
        }
    }

    /** One group of {@code size} numbers, {@code step} apart. */
    private void round(float[] x, int from, int step, int size, float[] inside) {
        float low = Float.POSITIVE_INFINITY;
        float high = Float.NEGATIVE_INFINITY;
        for (int i = 0; i < size; i++) {
            low = Math.min(low, x[from + i * step]);
            high = Math.max(high, x[from + i * step]);
        }
        int most = (1 << bits) - 1;
        float zero = Element.F16.round(low);
        float scale = Element.F16.round((high - low) / most);
        for (int i = 0; i < size; i++) {
            int at = from + i * step;
            float value = x[at];
            int code = scale == 0 ? 0 : (int) Math.clamp(Math.rint((double) ((value - zero) / scale)), 0, most);
            x[at] = Math.fma(scale, (float) code, zero);
            inside[at] = value > zero && value < zero + scale * most ? 1 : 0;
        }
    }
}
