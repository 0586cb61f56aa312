package dev.kvasir.cache.store;

/** What readers answer, as the keys and values they answer for: any store's content, in the model's basis. */
public final class ReadBack {
    private ReadBack() {}

    /** Keys {@code [size][headDim]}: the scores of unit queries. */
    public static float[][] keys(KeyReader reader, int headDim) {
        int size = reader.size();
        float[][] keys = new float[size][headDim];
        Scratch scratch = new Scratch();
        float[] unit = new float[headDim];
        float[] prepared = new float[reader.queryWidth(headDim) + 64];
        int tile = 32;
        float[] scores = new float[2 * tile];
        for (int c = 0; c < headDim; c++) {
            java.util.Arrays.fill(unit, 0f);
            unit[c] = 1;
            scratch.letGo();
            reader.prepare(unit, 0, 1, headDim, prepared, 0, scratch);
            for (int from = 0; from < size; from += tile) {
                int to = Math.min(size, from + tile);
                reader.scores(prepared, 0, 1, from, to, scores, 0, 2 * tile, scratch);
                for (int t = from; t < to; t++) {
                    keys[t][c] = scores[t - from];
                }
            }
        }
        return keys;
    }

    /** Values {@code [size][headDim]}: the sums of single weights. */
    public static float[][] values(ValueReader reader, int headDim) {
        int size = reader.size();
        float[][] values = new float[size][headDim];
        Scratch scratch = new Scratch();
        float[] weights = new float[256];
        for (int t = 0; t < size; t++) {
            int from = t / 256 * 256;
            java.util.Arrays.fill(weights, 0f);
            weights[t - from] = 1;
            scratch.letGo();
            float[] sum = new float[reader.sumWidth(headDim)];
            reader.addWeighted(weights, 0, 256, 1, from, Math.min(size, from + 256), sum, 0, scratch);
            if (sum.length == headDim) {
                values[t] = sum;
            } else {
                reader.project(sum, 0, 1, headDim, values[t], 0, scratch);
            }
            reader.finish(values[t], 0, 1, scratch);
        }
        return values;
    }
}
