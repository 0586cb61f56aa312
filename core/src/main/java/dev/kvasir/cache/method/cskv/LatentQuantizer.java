package dev.kvasir.cache.method.cskv;

import dev.kvasir.cache.kernel.Element;

/**
 * What the cache's quantizer does to latents, number by number, for training: the same axes, groups and roundings as {@link
 * dev.kvasir.cache.kernel.Quantizer#MIN_MAX} behind F16 latents, with {@code Q(x) = zero + scale round((x - zero) / scale)}.
 *
 * <p>The gradient passes straight through, and not where a number lies outside the range of codes (repository of CSKV,
 * quantizers). A group's largest and smallest number also make its scale, so theirs gets what the others feel of the scale,
 * {@code dQ/dscale = code - (x - zero) / scale} (LSQ, arXiv 1902.08153): without it training would not know that a narrower range
 * is a smaller error.
 *
 * @param bits of a code
 * @param byChannel whether {@code block} tokens of a channel share a scale, or {@code group} channels of a token
 */
record LatentQuantizer(int bits, boolean byChannel, int block, int group) {
    /** In place of a code's rounding, where a number is outside the range. */
    private static final float CLIPPED = Float.NEGATIVE_INFINITY;

    /**
     * Rounds latents in place.
     *
     * @param latents {@code [count][rank]}, from a token that begins a block; whole blocks where channels share a scale
     * @param roundings receives what each number was moved by, in steps; minus infinity where it is clipped at the top
     */
    void round(float[] latents, int count, int rank, float[] roundings) {
        Element.F16.round(latents, 0, count * rank);
        int step = step(rank);
        int size = size();
        for (int i = 0; i < count * rank / size; i++) {
            round(latents, first(i, rank), step, size, roundings);
        }
    }

    /** Numbers from one to the next of a group. */
    private int step(int rank) {
        return byChannel ? rank : 1;
    }

    private int size() {
        return byChannel ? block : group;
    }

    /** Where the {@code i}th group begins. */
    private int first(int i, int rank) {
        return byChannel ? i / rank * block * rank + i % rank : i * group;
    }

    private void round(float[] x, int from, int step, int size, float[] roundings) {
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
            float exact = scale == 0 ? 0 : (x[at] - zero) / scale;
            int code = (int) Math.clamp(Math.rint((double) exact), 0, most);
            x[at] = Math.fma(scale, (float) code, zero);
            roundings[at] = exact > most ? CLIPPED : code - exact;
        }
    }

    /**
     * Turns the loss's derivatives by rounded latents into those by the latents themselves, in place.
     *
     * @param roundings of {@link #round}
     * @param rounded what it made of the latents
     */
    void passBack(float[] gradients, float[] roundings, float[] rounded, int count, int rank) {
        int step = step(rank);
        int size = size();
        for (int i = 0; i < count * rank / size; i++) {
            passBack(gradients, roundings, rounded, first(i, rank), step, size);
        }
    }

    private void passBack(float[] gradients, float[] roundings, float[] rounded, int from, int step, int size) {
        float byScale = 0;
        float byZero = 0;
        int lowest = from;
        int highest = from;
        int most = (1 << bits) - 1;
        for (int at = from; at < from + size * step; at += step) {
            // Of those with one code, what was rounded up most is the smallest.
            boolean below = rounded[at] == rounded[lowest] && roundings[at] > roundings[lowest];
            boolean above = rounded[at] == rounded[highest] && roundings[at] < roundings[highest];
            lowest = rounded[at] < rounded[lowest] || below ? at : lowest;
            highest = rounded[at] > rounded[highest] || above ? at : highest;
            if (roundings[at] == CLIPPED) {
                byScale += gradients[at] * most;
                byZero += gradients[at];
                gradients[at] = 0;
            } else {
                byScale += gradients[at] * roundings[at];
            }
        }
        gradients[highest] += byScale / most;
        gradients[lowest] += byZero - byScale / most;
    }
}
