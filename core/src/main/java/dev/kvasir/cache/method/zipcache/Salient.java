package dev.kvasir.cache.method.zipcache;

import dev.kvasir.cache.importance.ColumnSums;
import dev.kvasir.cache.importance.ProbeRows;
import dev.kvasir.cache.segment.SegmentTail;
import dev.kvasir.cache.selection.Ranks;
import java.util.SplittableRandom;

/** Which of the tokens that become a segment are salient. */
final class Salient {
    private Salient() {}

    /**
     * Chooses for each selection.
     *
     * @param first position of the first token
     * @param tail the tokens before the step's, with the sums they have
     * @param count tokens of the step
     * @return {@code [selections][tail + count]}
     */
    static boolean[][] choose(ZipPlan plan, int first, SegmentTail tail, int count, ColumnSums sums, ProbeRows probes) {
        int stored = tail.size();
        int tokens = stored + count;
        int[] seen = new int[tokens];
        int after = 0;
        for (int i = tokens - 1; i >= 0; i--) {
            after += i >= stored && probes.wants(i - stored) ? 1 : 0;
            seen[i] = after + (i < stored ? tail.seen(i) : 0);
        }
        int heads = plan.layout().shape().kvHeads();
        float[][] scores = new float[plan.layout().selections()][tokens];
        for (int kvHead = 0; kvHead < heads; kvHead++) {
            float[] row = scores[plan.layout().selections() == 1 ? 0 : kvHead];
            for (int i = 0; i < tokens; i++) {
                float sum = i < stored ? tail.sum(kvHead, i) : sums.own(kvHead, i - stored);
                row[i] += switch (plan.saliency()) {
                    case NORMALIZED -> plan.visibility().normalize(sum, seen[i], tokens - i);
                    case ACCUMULATED -> sum;
                    case RANDOM -> random(plan.seed(), first + i, kvHead);
                };
            }
        }
        boolean[][] chosen = new boolean[scores.length][];
        for (int row = 0; row < chosen.length; row++) {
            chosen[row] = Ranks.highest(scores[row], plan.highSize(tokens));
        }
        return chosen;
    }

    private static float random(int seed, int position, int kvHead) {
        return (float) new SplittableRandom(seed * 0x9e3779b97f4a7c15L + position * 31L + kvHead).nextDouble();
    }
}
