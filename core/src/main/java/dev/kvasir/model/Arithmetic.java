package dev.kvasir.model;

import dev.kvasir.InvalidInputException;

/**
 * The numbers that families put at the same places of the same forward pass.
 *
 * @param rmsNormEpsilon added under the root of every RMSNorm
 * @param activation of the MLP's gate
 * @param embeddingScale what embeddings are multiplied by: 1, or the root of the hidden size in Gemma
 * @param scoreScale what the product of a query and a key is multiplied by; usually {@code 1 / sqrt(headDim)}
 * @param scoreCap attention scores become {@code scoreCap * tanh(score / scoreCap)}; 0 leaves them (Gemma 2)
 * @param logitCap the same of logits
 */
public record Arithmetic(
        float rmsNormEpsilon,
        Activation activation,
        float embeddingScale,
        float scoreScale,
        float scoreCap,
        float logitCap) {
    /**
     * Checks the ranges.
     *
     * @throws InvalidInputException naming the field, the value found and what is allowed
     */
    public Arithmetic {
        if (!(rmsNormEpsilon >= 0 && rmsNormEpsilon < 1)) {
            throw new InvalidInputException("RMSNorm epsilon must be in [0, 1), found " + rmsNormEpsilon);
        }
        positive("embedding scale", embeddingScale);
        positive("attention scale", scoreScale);
        cap("attention score cap", scoreCap);
        cap("logit cap", logitCap);
    }

    /** Llama's: SiLU, scores divided by the root of the head's width, nothing capped. */
    public static Arithmetic llama(float rmsNormEpsilon, int headDim) {
        float scale = (float) (1 / Math.sqrt(Math.max(1, headDim)));
        return new Arithmetic(rmsNormEpsilon, Activation.SILU, 1, scale, 0, 0);
    }

    private static void positive(String name, float value) {
        if (!(value > 0 && value < Float.POSITIVE_INFINITY)) {
            throw new InvalidInputException(name + " must be above 0, found " + value);
        }
    }

    private static void cap(String name, float value) {
        if (!(value >= 0 && value < Float.POSITIVE_INFINITY)) {
            throw new InvalidInputException(name + " must be above 0, or 0 for none, found " + value);
        }
    }
}
