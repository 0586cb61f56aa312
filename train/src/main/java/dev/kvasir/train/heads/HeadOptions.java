package dev.kvasir.train.heads;

import dev.kvasir.InvalidInputException;
import dev.kvasir.lab.task.Tasks;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * How retaining heads are trained.
 *
 * @param width hidden numbers of a head, dR in the paper
 * @param steps prompts to learn from, one a step
 * @param warmUp steps in which the rate rises; it then falls to nothing at the last
 * @param rate the highest learning rate
 * @param alpha what the smoothness of neighbouring scores counts
 * @param length most tokens of a prompt with its answer
 * @param seed of documents and first weights
 * @param tasks the lab's tasks to learn from
 */
public record HeadOptions(
        int width, int steps, int warmUp, double rate, double alpha, int length, long seed, List<String> tasks) {
    /** The paper's smoothness. */
    public static final double ALPHA = 0.0025;

    /** Documents may not be allowed fewer tokens than this. */
    public static final int SHORTEST = 256;

    /** Checks the numbers; throws {@link InvalidInputException}. */
    public HeadOptions {
        tasks = List.copyOf(tasks);
        tasks.forEach(Tasks::byName);
        boolean good = width >= 1
                && width <= 1 << 14
                && steps >= 1
                && warmUp >= 0
                && warmUp <= steps
                && rate > 0
                && alpha >= 0
                && length >= SHORTEST
                && !tasks.isEmpty();
        if (!good) {
            throw new InvalidInputException("heads: width 1 to " + (1 << 14)
                    + ", at least 1 step, a warm-up of at most the steps, a rate above 0, alpha of at least 0, documents of"
                    + " at least " + SHORTEST + " tokens and a task are allowed, found "
                    + asText(width, steps, warmUp, rate, alpha, length, seed, tasks));
        }
    }

    /** The learning rate of a step, counted from 0. */
    double rateAt(long step) {
        if (step < warmUp) {
            return rate * (step + 1) / warmUp;
        }
        return rate * (steps - step) / Math.max(1, steps - warmUp);
    }

    /** All of them by name, in the words of the paper where it has one. */
    Map<String, String> asText() {
        return asText(width, steps, warmUp, rate, alpha, length, seed, tasks);
    }

    private static Map<String, String> asText(
            int width, int steps, int warmUp, double rate, double alpha, int length, long seed, List<String> tasks) {
        Map<String, String> text = new LinkedHashMap<>();
        text.put("dR", Integer.toString(width));
        text.put("steps", Integer.toString(steps));
        text.put("warm-up", Integer.toString(warmUp));
        text.put("rate", Double.toString(rate));
        text.put("alpha", Double.toString(alpha));
        text.put("length", Integer.toString(length));
        text.put("seed", Long.toString(seed));
        text.put("tasks", String.join("+", tasks));
        return text;
    }
}
