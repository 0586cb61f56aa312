package dev.kvasir.engine;

import dev.kvasir.KvasirException;
import java.util.Random;

/**
 * Draws the next token of one sequence from the logits.
 *
 * <p>In the order of Hugging Face's generation: repetition penalty (Keskar et al., CTRL, 2019, section 4.1), temperature,
 * top-k, top-p (Holtzman et al., The Curious Case of Neural Text Degeneration, 2020), min-p (Nguyen et al., Turning Up the
 * Heat, 2024). Equal logits count in the order of their ids, so exactly {@code topK} tokens are kept. The draw depends on seed
 * and logits alone. Buffers are made once.
 */
public final class Sampler {
    private final SamplingOptions options;
    private final Random random;
    private final boolean[] occurred;
    private final int[] occurring;
    private int occurrences;

    private final float[] scores;
    private final TokenHeap heap;
    private final int[] kept;
    private final double[] keptWeights;
    private int keptCount;

    /** A sampler for logits {@code [vocabularySize]}. */
    public Sampler(SamplingOptions options, int vocabularySize) {
        this.options = options;
        this.random = new Random(options.seed());
        occurred = new boolean[vocabularySize];
        occurring = new int[vocabularySize];
        scores = new float[vocabularySize];
        heap = new TokenHeap(vocabularySize);
        kept = new int[vocabularySize];
        keptWeights = new double[vocabularySize];
    }

    /** Notes that {@code token} is part of the text, for the repetition penalty. */
    public void accept(int token) {
        if (!occurred[token]) {
            occurred[token] = true;
            occurring[occurrences++] = token;
        }
    }

    /**
     * The next token; it still has to be {@linkplain #accept accepted}.
     *
     * @param logits {@code [vocabularySize]}, left as they are
     * @throws KvasirException if a logit is not a number, or none is finite
     */
    public int next(float[] logits) {
        System.arraycopy(logits, 0, scores, 0, scores.length);
        penalise();
        int best = best();
        if (options.temperature() == 0) {
            return best;
        }
        if (options.topK() == 0 && options.topP() == 1 && options.minP() == 0) {
            return drawFromAll(scores[best]);
        }
        select(scores[best]);
        return drawFromKept();
    }

    /** Each token that occurred, once: a positive logit is divided, a negative one multiplied. */
    private void penalise() {
        float penalty = (float) options.repetitionPenalty();
        if (penalty == 1) {
            return;
        }
        for (int i = 0; i < occurrences; i++) {
            int id = occurring[i];
            scores[id] = scores[id] > 0 ? scores[id] / penalty : scores[id] * penalty;
        }
    }

    private int best() {
        int best = 0;
        boolean numbers = true;
        for (int id = 0; id < scores.length; id++) {
            numbers &= scores[id] < Float.POSITIVE_INFINITY;
            if (scores[id] > scores[best]) {
                best = id;
            }
        }
        if (!numbers || scores[best] == Float.NEGATIVE_INFINITY) {
            throw new KvasirException("the model's logits hold values that are no finite numbers");
        }
        return best;
    }

    /** A token's probability relative to the most probable one's. */
    private double weight(int id, float max) {
        return Math.exp(((double) scores[id] - max) / options.temperature());
    }

    private int drawFromAll(float max) {
        double sum = 0;
        for (int id = 0; id < scores.length; id++) {
            keptWeights[id] = weight(id, max);
            sum += keptWeights[id];
        }
        double left = random.nextDouble() * sum;
        int last = 0;
        for (int id = 0; id < scores.length; id++) {
            if (keptWeights[id] > 0) {
                last = id;
                left -= keptWeights[id];
                if (left < 0) {
                    break;
                }
            }
        }
        return last;
    }

    /**
     * Fills {@code kept} with the tokens that pass, best first. Each of the three filters keeps a run of the best, so all
     * together keep the shortest one. Top-p counts probabilities among what top-k left.
     */
    private void select(float max) {
        heap.fill(scores);
        keptCount = 0;
        boolean topK = options.topK() > 0 && options.topK() < scores.length;
        double total = 0;
        if (topK) {
            while (keptCount < options.topK()) {
                total += keep(heap.pop(), max);
            }
            cut(total);
            return;
        }
        if (options.topP() < 1) {
            for (int id = 0; id < scores.length; id++) {
                total += weight(id, max);
            }
        }
        double sum = 0;
        while (!heap.isEmpty() && (options.topP() == 1 || sum < options.topP() * total)) {
            double weight = keep(heap.pop(), max);
            if (weight < options.minP()) {
                keptCount--;
                return;
            }
            sum += weight;
        }
    }

    private double keep(int id, float max) {
        double weight = weight(id, max);
        kept[keptCount] = id;
        keptWeights[keptCount++] = weight;
        return weight;
    }

    /** Applies top-p and min-p to what top-k kept. */
    private void cut(double total) {
        double sum = 0;
        for (int i = 0; i < keptCount; i++) {
            boolean enough = options.topP() < 1 && sum >= options.topP() * total;
            if (enough || keptWeights[i] < options.minP()) {
                keptCount = i;
                return;
            }
            sum += keptWeights[i];
        }
    }

    private int drawFromKept() {
        double sum = 0;
        for (int i = 0; i < keptCount; i++) {
            sum += keptWeights[i];
        }
        double left = random.nextDouble() * sum;
        int last = kept[0];
        for (int i = 0; i < keptCount && keptWeights[i] > 0; i++) {
            last = kept[i];
            left -= keptWeights[i];
            if (left < 0) {
                break;
            }
        }
        return last;
    }
}
