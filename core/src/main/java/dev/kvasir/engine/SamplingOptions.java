package dev.kvasir.engine;

import java.util.List;

/**
 * How the next token is drawn.
 *
 * @param temperature 0 is greedy
 * @param topK 0 keeps all
 * @param topP 1 keeps all
 * @param minP 0 keeps all
 * @param repetitionPenalty 1 is none
 * @param seed of the generator
 * @param maxTokens most tokens to generate
 * @param stop texts that end the generation and are not part of it
 */
public record SamplingOptions(
        double temperature,
        int topK,
        double topP,
        double minP,
        double repetitionPenalty,
        long seed,
        int maxTokens,
        List<String> stop) {}
