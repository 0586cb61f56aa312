package dev.kvasir.engine;

import dev.kvasir.InvalidInputException;
import java.util.List;

/**
 * How the next token is drawn and when to stop.
 *
 * @param temperature divides the logits; 0 is greedy
 * @param topK most probable tokens that are kept, from 1; 0 keeps all
 * @param topP keeps the most probable tokens that together reach this probability, above 0; 1 keeps all
 * @param minP keeps tokens of at least this share of the most probable one's probability, 0 to 1; 0 keeps all
 * @param repetitionPenalty makes tokens that occurred less likely, above 0; 1 is none
 * @param seed of the draw; the same seed and logits give the same tokens
 * @param maxTokens most tokens to generate, from 1
 * @param stop texts that end the generation and are not part of it; none may be empty
 */
public record SamplingOptions(
        double temperature,
        int topK,
        double topP,
        double minP,
        double repetitionPenalty,
        long seed,
        int maxTokens,
        List<String> stop) {

    /**
     * Checks every option.
     *
     * @throws InvalidInputException if one is out of its range
     */
    public SamplingOptions {
        require(temperature >= 0 && temperature <= 1000, "temperature", temperature, "a number from 0 to 1000");
        require(topK >= 0, "topK", topK, "0 or more");
        require(topP > 0 && topP <= 1, "topP", topP, "a number above 0 and at most 1");
        require(minP >= 0 && minP <= 1, "minP", minP, "a number from 0 to 1");
        require(
                repetitionPenalty > 0 && repetitionPenalty <= 1000,
                "repetitionPenalty",
                repetitionPenalty,
                "a number above 0 and at most 1000");
        require(maxTokens >= 1, "maxTokens", maxTokens, "1 or more");
        stop = List.copyOf(stop);
        require(stop.stream().noneMatch(String::isEmpty), "stop", stop, "texts of at least one character");
    }

    /** Always the most probable token, until the model ends the text or {@code maxTokens} are generated. */
    public static SamplingOptions greedy(int maxTokens) {
        return new SamplingOptions(0, 0, 1, 0, 1, 0, maxTokens, List.of());
    }

    private static void require(boolean holds, String option, Object found, String allowed) {
        if (!holds) {
            throw new InvalidInputException(option + " must be " + allowed + ", found " + found);
        }
    }
}
