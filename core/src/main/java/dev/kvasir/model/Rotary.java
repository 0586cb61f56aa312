package dev.kvasir.model;

import dev.kvasir.InvalidInputException;

/**
 * How queries and keys of a layer are rotated by their position (Su et al. 2021).
 *
 * <p>The decoder lays the channels of a head so that pair {@code i} is channels {@code i} and {@code i + headDim / 2}, whatever
 * the layout of the weights and however many channels turn; pairs that do not turn have the frequency 0. Caches see no other
 * form.
 *
 * @param theta base of the frequencies
 * @param dims channels of a head that turn, the first ones; even; 0 for a layer without position (NoPE)
 * @param scaling how the frequencies are stretched
 * @param layout where the two channels of a pair lie in the rows of the query and key weights
 */
public record Rotary(float theta, int dims, RopeScaling scaling, Layout layout) {
    /** Where the two channels of pair {@code i} lie among the {@code dims} that turn. */
    public enum Layout {
        /** Channels {@code i} and {@code i + dims / 2}: Hugging Face's files, and GGUF's of most families. */
        HALVES,
        /** Channels {@code 2i} and {@code 2i + 1}: GGUF's of the {@code llama} architecture. */
        ADJACENT
    }

    /**
     * Checks the numbers.
     *
     * @throws InvalidInputException naming the field, the value found and what is allowed
     */
    public Rotary {
        if (!(theta > 0 && theta < Float.POSITIVE_INFINITY)) {
            throw new InvalidInputException("rope theta must be above 0, found " + theta);
        }
        if (dims < 0 || dims % 2 != 0) {
            throw new InvalidInputException("rotary channels must be even, found " + dims);
        }
    }

    /** All {@code headDim} channels turn, unstretched, in Hugging Face's layout. */
    public static Rotary of(float theta, int headDim) {
        return new Rotary(theta, headDim, RopeScaling.none(), Layout.HALVES);
    }

    /** A layer whose queries and keys know no position. */
    public static Rotary none() {
        return new Rotary(10_000, 0, RopeScaling.none(), Layout.HALVES);
    }

    /** Radians per position of each pair of a head, {@code [headDim / 2]}; 0 for pairs that do not turn. */
    public double[] frequencies(int headDim, int contextLength) {
        double[] turning = new double[dims / 2];
        for (int i = 0; i < turning.length; i++) {
            turning[i] = Math.pow(theta, -(double) i / turning.length);
        }
        scaling.stretch(turning, theta, contextLength);
        double[] frequencies = new double[headDim / 2];
        System.arraycopy(turning, 0, frequencies, 0, turning.length);
        return frequencies;
    }

    /** What the product of a query and a key gains in the channels that turn: the square of YaRN's attention factor. */
    public float gain(int contextLength) {
        double factor = dims == 0 ? 1 : scaling.attentionFactor(contextLength);
        return (float) (factor * factor);
    }

    /** For each channel of a head as the decoder lays it, the row of the head's weights that makes it. */
    public int[] channels(int headDim) {
        int[] channels = new int[headDim];
        int half = headDim / 2;
        int turning = dims / 2;
        for (int i = 0; i < half; i++) {
            if (i >= turning) {
                channels[i] = dims + i - turning;
                channels[half + i] = dims + half - turning + i - turning;
            } else if (layout == Layout.HALVES) {
                channels[i] = i;
                channels[half + i] = turning + i;
            } else {
                channels[i] = 2 * i;
                channels[half + i] = 2 * i + 1;
            }
        }
        return channels;
    }

    /** Whether the weights' rows are already where the decoder wants them. */
    public boolean isInPlace(int headDim) {
        return dims == 0 || (layout == Layout.HALVES && dims == headDim);
    }
}
