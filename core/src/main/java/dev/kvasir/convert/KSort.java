package dev.kvasir.convert;

import dev.kvasir.InvalidInputException;
import dev.kvasir.cache.Calibration;
import dev.kvasir.format.ModelCopy;
import dev.kvasir.model.Model;
import dev.kvasir.model.ModelConfig;
import dev.kvasir.model.Weights;
import dev.kvasir.tensor.Matrix;
import dev.kvasir.tensor.RotaryOrder;
import dev.kvasir.tensor.RowReader;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.stream.IntStream;

/**
 * K-sort: the channels of keys (and of the queries that meet them) in an order that puts large ones together, so that a block
 * of them shares an exponent or a scale at less loss (Trukhanov and Soloveychik, arXiv 2403.20137).
 *
 * <p>Sorted are rotary pairs, by the root of the sum of their channels' squared scores, largest first: RoPE mixes a pair's
 * channels, so both belong together. Whole pairs fill blocks ({@link RotaryOrder} draws them): in the usual half-split
 * layout every pair would lie in two blocks, and sorting would change nothing from blocks of half a head on.
 */
public final class KSort {
    private KSort() {}

    /**
     * The scores that need no text: the norms of the rows of the key projection, the norm's gain folded in.
     *
     * @return {@code [layers][kvHeads * headDim]}
     */
    public static float[][] weightScores(Model model) {
        float[][] scores = new float[model.config().layers()][];
        for (int layer = 0; layer < scores.length; layer++) {
            Weights.Layer weights = model.weights().layers().get(layer);
            scores[layer] = rowNorms(weights.k(), weights.attentionNorm());
        }
        return scores;
    }

    private static float[] rowNorms(Matrix matrix, float[] gain) {
        float[] norms = new float[matrix.rows()];
        float[] row = new float[matrix.columns()];
        for (int r = 0; r < norms.length; r++) {
            RowReader.read(matrix, r, 0, row.length, row, 0);
            double sum = 0;
            for (int c = 0; c < row.length; c++) {
                double value = (double) row[c] * gain[c];
                sum += value * value;
            }
            norms[r] = (float) Math.sqrt(sum);
        }
        return norms;
    }

    /** The scores that {@link KeyPower} learnt of a text, {@code [layers][kvHeads * headDim]}. */
    public static float[][] textScores(Calibration calibration, ModelConfig config) {
        float[][] scores = new float[config.layers()][];
        for (int layer = 0; layer < scores.length; layer++) {
            scores[layer] = calibration.data(KeyPower.tensor(layer), config.kvHeads(), config.headDim());
        }
        return scores;
    }

    /**
     * One order per layer.
     *
     * @param block channels that will share an exponent
     * @param scores {@code [layers][kvHeads * headDim]}
     * @throws InvalidInputException if blocks of that size do not fit a head, or one would be the whole head
     */
    public static List<RotaryOrder> orders(ModelConfig config, int block, float[][] scores) {
        checkBlock(config, block);
        List<RotaryOrder> orders = new ArrayList<>();
        for (float[] layer : scores) {
            int[][] pairs = new int[config.kvHeads()][];
            for (int h = 0; h < pairs.length; h++) {
                pairs[h] = sorted(layer, h * config.headDim(), config.headDim() / 2);
            }
            orders.add(new RotaryOrder(block, pairs));
        }
        return orders;
    }

    /** Fails if blocks of that size do not fit the model's heads, or one would be the whole head. */
    public static void checkBlock(ModelConfig config, int block) {
        RotaryOrder.checkBlock(block, config.headDim());
        if (block == config.headDim()) {
            throw new InvalidInputException("a block of " + block
                    + " channels is a whole head of this model, which holds the same channels in any order: take a smaller"
                    + " one");
        }
    }

    /** Pairs of one head from the largest to the smallest; equal ones keep their order. */
    private static int[] sorted(float[] scores, int from, int half) {
        Comparator<Integer> bySize =
                Comparator.comparingDouble(pair -> -Math.hypot(scores[from + pair], scores[from + half + pair]));
        return IntStream.range(0, half)
                .boxed()
                .sorted(bySize)
                .mapToInt(Integer::intValue)
                .toArray();
    }

    /**
     * Writes the model of {@code from} with its rotary pairs in these orders.
     *
     * @param model what {@code from} holds
     * @throws InvalidInputException if it was converted before
     * @throws dev.kvasir.KvasirException if {@code to} is there and not an empty folder
     */
    public static void convert(Path from, Model model, Path to, List<RotaryOrder> orders) throws IOException {
        requireUsual(model);
        ModelCopy copy = new ModelCopy(from);
        for (int layer = 0; layer < orders.size(); layer++) {
            copy.reorder(layer, orders.get(layer), model.config().heads());
        }
        copy.note("""
                > **Converted by `kvasir convert bfp`.** The rows of the query and key projections are sorted (K-sort, arXiv
                > 2403.20137, blocks of %d channels), and rotary pairs lie where `self_attn.rope_order` says. Kvasir computes the
                > same logits as with the model this was made from. **Other engines do not know this layout** (`model_type` is
                > `kvasir_llama` so that they refuse it rather than compute nonsense): give them the original.
                """.formatted(orders.getFirst().block()));
        copy.write(to);
    }

    /** Fails if the model was converted before: its channels are sorted already. */
    public static void requireUsual(Model model) {
        if (!model.config().isLlama()
                || model.weights().layers().stream()
                        .anyMatch(layer -> !layer.extras().isNone())) {
            throw new InvalidInputException(
                    model.name() + " is of the family " + model.config().family()
                            + ": only Llamas whose queries and keys are plain products can be converted so");
        }
        if (model.config().ropeBlock().isPresent()) {
            throw new InvalidInputException(model.name() + " was converted before, with blocks of "
                    + model.config().ropeBlock().get() + ": convert the model it was made from");
        }
    }
}
