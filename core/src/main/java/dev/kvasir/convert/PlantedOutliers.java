package dev.kvasir.convert;

import dev.kvasir.InvalidInputException;
import dev.kvasir.format.ModelCopy;
import dev.kvasir.model.Model;
import dev.kvasir.model.ModelConfig;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Random;

/**
 * Plants outlier channels in keys, as large models grow them, without changing what the model computes: the rows of a rotary
 * pair in the key projection are multiplied by a power of two, those of the queries that meet them divided by it. A small
 * model without outliers then shows what a cache does about them.
 */
public final class PlantedOutliers {
    private PlantedOutliers() {}

    /**
     * Writes the model of {@code from} with outliers.
     *
     * @param model what {@code from} holds
     * @param pairs rotary pairs of each KV head that grow, chosen by the seed
     * @param power they grow by {@code 2^power}
     * @throws InvalidInputException if a head has no so many pairs, or the model was converted before
     */
    public static void convert(Path from, Model model, Path to, int pairs, int power, long seed) throws IOException {
        ModelConfig config = model.config();
        int half = config.headDim() / 2;
        if (pairs < 1 || pairs > half) {
            throw new InvalidInputException(pairs + " pairs of a head: allowed are 1 to " + half + ", the pairs of "
                    + model.name() + "'s heads");
        }
        if (power < 1 || power > 8) {
            throw new InvalidInputException("a power of " + power + ": allowed are 1 to 8");
        }
        KSort.requireUsual(model);
        ModelCopy copy = new ModelCopy(from);
        Random random = new Random(seed);
        for (int layer = 0; layer < config.layers(); layer++) {
            int[] powers = new int[config.kvHeads() * config.headDim()];
            for (int h = 0; h < config.kvHeads(); h++) {
                plant(powers, h * config.headDim(), half, pairs, power, random);
            }
            copy.scaleKeys(layer, powers, config.heads(), config.headDim());
        }
        copy.note("""
                > **Written by `kvasir convert outliers`.** In each KV head %d rotary pairs of the key projection are multiplied by
                > %d, and the same pairs of its queries divided by it. The model computes what the original computes; its keys
                > have outlier channels.
                """.formatted(pairs, 1 << power));
        copy.write(to);
    }

    private static void plant(int[] powers, int first, int half, int pairs, int power, Random random) {
        int planted = 0;
        while (planted < pairs) {
            int pair = random.nextInt(half);
            if (powers[first + pair] == 0) {
                powers[first + pair] = power;
                powers[first + half + pair] = power;
                planted++;
            }
        }
    }
}
