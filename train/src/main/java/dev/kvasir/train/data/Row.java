package dev.kvasir.train.data;

import java.util.List;

/**
 * One row of a batch.
 *
 * @param ids {@code [length + 1]}; {@code ids[i + 1]} is predicted from {@code ids[0..i]}
 * @param weights {@code [length + 1]}; what the prediction of {@code ids[i]} counts in the loss; index 0 is unused
 * @param answers spans of {@code ids} that are answers, for evaluation
 */
public record Row(int[] ids, float[] weights, List<TokenSpan> answers) {
    /** Tokens {@code from} to {@code to - 1} of a row. */
    public record TokenSpan(int from, int to) {}
}
