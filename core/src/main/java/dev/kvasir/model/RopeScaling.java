package dev.kvasir.model;

import dev.kvasir.InvalidInputException;
import java.util.List;

/** How the frequencies of a rotary embedding are stretched beyond the context they were trained for. */
public sealed interface RopeScaling {
    /** Not at all. A method, for a constant of an implementing class could deadlock two threads that initialise both. */
    static RopeScaling none() {
        return new None();
    }

    /**
     * Stretches frequencies in place.
     *
     * @param frequencies radians per position of each pair that turns, {@code theta^(-i / pairs)}
     * @param contextLength of the model as it is used
     */
    void stretch(double[] frequencies, double theta, int contextLength);

    /** What rotated queries and keys are multiplied by. */
    default double attentionFactor(int contextLength) {
        return 1;
    }

    /** Its name in Hugging Face's {@code rope_type}. */
    String type();

    /** Unstretched. */
    record None() implements RopeScaling {
        @Override
        public void stretch(double[] frequencies, double theta, int contextLength) {}

        @Override
        public String type() {
            return "default";
        }
    }

    /** All frequencies divided by {@code factor} (Chen et al. 2023). */
    record Linear(float factor) implements RopeScaling {
        /** Throws {@link InvalidInputException} unless the factor is above 0. */
        public Linear {
            positive("factor", factor);
        }

        @Override
        public void stretch(double[] frequencies, double theta, int contextLength) {
            for (int i = 0; i < frequencies.length; i++) {
                frequencies[i] /= factor;
            }
        }

        @Override
        public String type() {
            return "linear";
        }
    }

    /**
     * Llama 3.1's: divides the frequencies whose wavelength the original context could not hold, keeps the high ones, and
     * blends between.
     */
    record Llama3(float factor, float lowFrequencyFactor, float highFrequencyFactor, int originalContextLength)
            implements RopeScaling {
        /** Throws {@link InvalidInputException}, naming the field, the value found and what is allowed. */
        public Llama3 {
            positive("factor", factor);
            positive("original context length", originalContextLength);
            positive("low frequency factor", lowFrequencyFactor);
            positive("high frequency factor", highFrequencyFactor);
            if (highFrequencyFactor <= lowFrequencyFactor) {
                throw new InvalidInputException("rope scaling high frequency factor must be above the low one, "
                        + lowFrequencyFactor + ", found " + highFrequencyFactor);
            }
        }

        @Override
        public void stretch(double[] frequencies, double theta, int contextLength) {
            for (int i = 0; i < frequencies.length; i++) {
                double turns = originalContextLength * frequencies[i] / (2 * Math.PI);
                double kept = Math.clamp(
                        (turns - lowFrequencyFactor) / ((double) highFrequencyFactor - lowFrequencyFactor), 0, 1);
                frequencies[i] = (1 - kept) * frequencies[i] / factor + kept * frequencies[i];
            }
        }

        @Override
        public String type() {
            return "llama3";
        }
    }

    /**
     * YaRN (Peng et al. 2023, arXiv 2309.00071): pairs that turn more than {@code betaFast} times in the original context stay,
     * those that turn less than {@code betaSlow} times are divided by {@code factor}, with a ramp over the pairs between.
     *
     * @param attention what rotated queries and keys are multiplied by; see {@link #defaultAttention}
     * @param truncate whether the ends of the ramp are rounded outwards to whole pairs
     */
    record Yarn(
            float factor, float betaFast, float betaSlow, int originalContextLength, float attention, boolean truncate)
            implements RopeScaling {
        /** Throws {@link InvalidInputException}, naming the field, the value found and what is allowed. */
        public Yarn {
            positive("factor", factor);
            positive("beta_fast", betaFast);
            positive("beta_slow", betaSlow);
            positive("original context length", originalContextLength);
            positive("attention factor", attention);
        }

        /** {@code 0.1 * mscale * ln(factor) + 1} (section 3.4), 1 for factors up to 1. */
        public static double defaultAttention(double factor, double mscale) {
            return factor <= 1 ? 1 : 0.1 * mscale * Math.log(factor) + 1;
        }

        @Override
        public void stretch(double[] frequencies, double theta, int contextLength) {
            int pairs = frequencies.length;
            double low = pairTurning(betaFast, pairs, theta);
            double high = pairTurning(betaSlow, pairs, theta);
            low = Math.max(truncate ? Math.floor(low) : low, 0);
            high = Math.min(truncate ? Math.ceil(high) : high, 2 * pairs - 1);
            // Hugging Face's guard against an empty ramp.
            double width = low == high ? 0.001 : high - low;
            for (int i = 0; i < pairs; i++) {
                double stretched = Math.clamp((i - low) / width, 0, 1);
                frequencies[i] = stretched * frequencies[i] / factor + (1 - stretched) * frequencies[i];
            }
        }

        /** The pair, as a real number, that turns so many times in the original context. */
        private double pairTurning(double turns, int pairs, double theta) {
            return pairs * Math.log(originalContextLength / (turns * 2 * Math.PI)) / Math.log(theta);
        }

        @Override
        public double attentionFactor(int contextLength) {
            return attention;
        }

        @Override
        public String type() {
            return "yarn";
        }
    }

    /**
     * Phi-3's (LongRoPE, arXiv 2402.13753): every pair has a divisor of its own, from one list for models used within the
     * original context and from another beyond it. Which one is decided by the context length the model is used with, not by
     * the tokens seen so far: keys that are stored cannot change their rotation half-way.
     *
     * @param shortFactors one for each pair that turns
     * @param longFactors likewise
     * @param attention what rotated queries and keys are multiplied by
     */
    record LongRope(List<Float> shortFactors, List<Float> longFactors, int originalContextLength, float attention)
            implements RopeScaling {
        /** Throws {@link InvalidInputException}, naming the field, the value found and what is allowed. */
        public LongRope {
            shortFactors = List.copyOf(shortFactors);
            longFactors = List.copyOf(longFactors);
            shortFactors.forEach(factor -> positive("short factor", factor));
            longFactors.forEach(factor -> positive("long factor", factor));
            positive("original context length", originalContextLength);
            positive("attention factor", attention);
        }

        /** {@code sqrt(1 + ln(factor) / ln(original))}, 1 for factors up to 1. */
        public static double defaultAttention(double factor, int originalContextLength) {
            return factor <= 1 ? 1 : Math.sqrt(1 + Math.log(factor) / Math.log(originalContextLength));
        }

        @Override
        public void stretch(double[] frequencies, double theta, int contextLength) {
            List<Float> factors = contextLength > originalContextLength ? longFactors : shortFactors;
            if (factors.size() != frequencies.length) {
                throw new InvalidInputException("rope scaling longrope must have a factor for each of the "
                        + frequencies.length + " pairs that turn, found " + factors.size());
            }
            for (int i = 0; i < frequencies.length; i++) {
                frequencies[i] /= factors.get(i);
            }
        }

        @Override
        public double attentionFactor(int contextLength) {
            return attention;
        }

        @Override
        public String type() {
            return "longrope";
        }
    }

    private static void positive(String name, float value) {
        if (!(value > 0 && value < Float.POSITIVE_INFINITY)) {
            throw new InvalidInputException("rope scaling " + name + " must be above 0, found " + value);
        }
    }
}
