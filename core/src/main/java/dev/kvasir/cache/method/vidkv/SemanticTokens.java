package dev.kvasir.cache.method.vidkv;

import java.util.Arrays;
import java.util.stream.IntStream;

/**
 * Semantic token protection: of a prompt's visual tokens those that match the text best (VidKV, arXiv 2503.16257, section on
 * STP). Chosen once a prompt, on the decoder's input embeddings, for all layers and heads.
 */
public final class SemanticTokens {
    private SemanticTokens() {}

    /**
     * The {@code group * max(1, floor(share * visual / group))} tokens i of the highest mean over text tokens j of {@code <v_i, t_j>},
     * ascending; all of them if there are fewer, rounded down to whole groups.
     *
     * @param visual embeddings {@code [tokens][width]}
     * @param text embeddings {@code [tokens][width]}, at least one
     * @param share of tokens to protect, 0 to 1
     * @return indices into {@code visual}
     */
    public static int[] select(float[][] visual, float[][] text, double share, int group) {
        if (text.length == 0 || share < 0 || share > 1 || group <= 0) {
            throw new IllegalArgumentException(text.length + " text tokens, share " + share + ", group " + group);
        }
        if (share == 0) {
            return new int[0];
        }
        // The mean of the products is the product with the mean.
        double[] mean = new double[text[0].length];
        for (float[] token : text) {
            for (int c = 0; c < mean.length; c++) {
                mean[c] += token[c] / (double) text.length;
            }
        }
        double[] match = new double[visual.length];
        for (int i = 0; i < visual.length; i++) {
            for (int c = 0; c < mean.length; c++) {
                match[i] += visual[i][c] * mean[c];
            }
        }
        int wanted = group * Math.max(1, (int) Math.floor(share * visual.length / group + 1e-9));
        int count = Math.min(wanted, visual.length / group * group);
        int[] chosen = IntStream.range(0, visual.length)
                .boxed()
                .sorted((a, b) -> Double.compare(match[b], match[a]))
                .limit(count)
                .mapToInt(Integer::intValue)
                .toArray();
        Arrays.sort(chosen);
        return chosen;
    }

    /** Positions as the option {@code protect} takes them: {@code first + index} for each index, in ranges. */
    public static String positions(int first, int[] ascending) {
        StringBuilder text = new StringBuilder();
        for (int i = 0; i < ascending.length; i++) {
            int start = i;
            while (i + 1 < ascending.length && ascending[i + 1] == ascending[i] + 1) {
                i++;
            }
            text.append(text.isEmpty() ? "" : "+").append(first + ascending[start]);
            if (i > start) {
                text.append("..").append(first + ascending[i]);
            }
        }
        return text.toString();
    }
}
