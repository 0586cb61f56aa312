package dev.kvasir.train.heads;

import dev.kvasir.cache.CacheShape;
import dev.kvasir.tensor.RowProducts;
import dev.kvasir.tensor.Workers;

/**
 * The labels of retaining heads: for every prompt token and KV head the largest logit that a token of the answer gives it,
 * over the answer's tokens and the query heads of the group, before softmax and with all of the prompt in the cache.
 *
 * <pre>
 *   S[k][j] = max over answer tokens r, query heads h of group j of  q[r][h] . k[k][j] / sqrt(headDim)
 * </pre>
 *
 * <p>The maximum runs along as the logits are made, {@value #TILE} prompt tokens at a time.
 */
final class AnswerLogits {
    private static final int TILE = 64;

    private final CacheShape shape;
    private final Workers workers;

    AnswerLogits(CacheShape shape, Workers workers) {
        this.shape = shape;
        this.workers = workers;
    }

    /**
     * The labels of a prompt.
     *
     * @param queries after RoPE, {@code [tokens][heads][headDim]}
     * @param keys after RoPE, {@code [tokens][kvHeads][headDim]}
     * @param prompt its tokens come first, the {@code answer} tokens follow
     * @return {@code [prompt][kvHeads]}
     */
    float[] of(float[] queries, float[] keys, int prompt, int answer) {
        int kvHeads = shape.kvHeads();
        int headDim = shape.headDim();
        int rows = answer * shape.queriesPerKvHead();
        float[] labels = new float[prompt * kvHeads];
        int tiles = (prompt + TILE - 1) / TILE;
        float[][] columns = new float[kvHeads][];
        for (int j = 0; j < kvHeads; j++) {
            columns[j] = columns(queries, prompt, answer, j);
        }
        workers.run(kvHeads * tiles, part -> {
            int j = part / tiles;
            int from = part % tiles * TILE;
            int count = Math.min(TILE, prompt - from);
            float[] logits = new float[count * rows];
            RowProducts.add(
                    keys,
                    (from * kvHeads + j) * headDim,
                    kvHeads * headDim,
                    1,
                    count,
                    columns[j],
                    0,
                    headDim,
                    rows,
                    logits,
                    0);
            for (int t = 0; t < count; t++) {
                labels[(from + t) * kvHeads + j] = max(logits, t * rows, rows);
            }
        });
        return labels;
    }

    /** The scaled queries of a group's answer rows, channel by channel: {@code [headDim][answer * group]}. */
    private float[] columns(float[] queries, int prompt, int answer, int kvHead) {
        int group = shape.queriesPerKvHead();
        int headDim = shape.headDim();
        int rows = answer * group;
        float scale = (float) (1 / Math.sqrt(headDim));
        float[] columns = new float[headDim * rows];
        for (int r = 0; r < rows; r++) {
            int token = prompt + r / group;
            int at = (token * shape.heads() + kvHead * group + r % group) * headDim;
            for (int c = 0; c < headDim; c++) {
                columns[c * rows + r] = queries[at + c] * scale;
            }
        }
        return columns;
    }

    private static float max(float[] numbers, int from, int count) {
        float max = numbers[from];
        for (int i = from + 1; i < from + count; i++) {
            max = Math.max(max, numbers[i]);
        }
        return max;
    }
}
