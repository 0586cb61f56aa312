package dev.kvasir.train.data;

import dev.kvasir.lab.task.Split;
import java.util.List;
import java.util.SplittableRandom;

/**
 * Random ids that repeat: a run of {@code period} ids, again and again to the end of the row; only what repeats counts.
 * Every other row has half its length as the period: a fixed distance is learnt first, and with it how to copy; the others,
 * of any period and rather short ones, then teach to find the place by content.
 *
 * <p>The shortest way to induction heads (Olsson et al., arXiv 2209.11895), without which retrieval does not begin to be
 * learnt at this size.
 */
public final class CopySource implements RowSource {
    private static final int SHORTEST = 4;

    private final int vocabularySize;

    /** Copies of ids below {@code vocabularySize}. */
    public CopySource(int vocabularySize) {
        this.vocabularySize = vocabularySize;
    }

    @Override
    public String name() {
        return "copy";
    }

    @Override
    public Row row(Split split, long index, int length) {
        SplittableRandom random = Mixing.random(name(), split, index, length);
        int half = Math.max(SHORTEST, length / 2);
        double factor = random.nextDouble() * Math.log((double) half / SHORTEST);
        int period = random.nextBoolean() ? half : (int) (SHORTEST * Math.exp(factor));
        int[] ids = new int[length + 1];
        float[] weights = new float[length + 1];
        for (int i = 0; i <= length; i++) {
            ids[i] = i < period ? random.nextInt(vocabularySize) : ids[i - period];
            weights[i] = i < period ? 0 : 1;
        }
        return new Row(ids, weights, List.of(new Row.TokenSpan(length + 1 - SHORTEST, length + 1)));
    }
}
