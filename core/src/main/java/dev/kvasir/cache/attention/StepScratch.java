package dev.kvasir.cache.attention;

import dev.kvasir.cache.store.Scratch;

/** Buffers of one part of a step, reused from part to part and from step to step. */
final class StepScratch {
    final Scratch store = new Scratch();
    /** Queries of a block of rows, scaled, {@code [rows][headDim]}. */
    float[] queries = new float[0];
    /** The same as the stored keys want them, {@code [rows][queryWidth]}. */
    float[] prepared = new float[0];
    /** Scores, then weights, {@code [rows][TILE + padding]}. */
    float[] scores = new float[0];
    /** Weighted values so far, {@code [rows][sumWidth]}. */
    float[] sums = new float[0];
    /** Numbers of a row of sums: the head's width, or that of the space in which stored values are summed. */
    int sumWidth;
    /** Sums brought to the heads' width, {@code [rows][headDim]}, where they were made in another. */
    float[] projected = new float[0];
    /** Running maximum and sum of weights of each row. */
    float[] maxima = new float[0];

    float[] totals = new float[0];

    void fit(int rows, int headDim, int queryWidth, int width, int scoreStride) {
        queries = Scratch.grown(queries, rows * headDim);
        prepared = Scratch.grown(prepared, rows * queryWidth);
        sumWidth = width;
        sums = Scratch.grown(sums, rows * Math.max(headDim, width));
        scores = Scratch.grown(scores, rows * scoreStride);
        maxima = Scratch.grown(maxima, rows);
        totals = Scratch.grown(totals, rows);
    }
}
