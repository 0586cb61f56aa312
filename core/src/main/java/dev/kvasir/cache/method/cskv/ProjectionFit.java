package dev.kvasir.cache.method.cskv;

import dev.kvasir.cache.correction.Svd;
import dev.kvasir.cache.kernel.Kernels;
import dev.kvasir.cache.store.Panels;
import java.util.Arrays;
import java.util.Optional;

/** What is learnt of one projection of one layer: second moments of what it makes, then factors for exact and for quantized latents. */
final class ProjectionFit {
    /** Tokens whose products are summed in F32 before they join the others. */
    private static final int CHUNK = 128;

    private final Kernels kernels;
    private final float[] w;
    private final int inputs;
    private final int outputs;
    private final int rank;
    private final LatentQuantizer quantizer;
    /** Sum over tokens of {@code k^t k}. */
    private final double[] moments;

    private final float[] product;
    private float[] columns = {};

    private Optional<Trained> trained = Optional.empty();

    /** Training after its start, and the start itself. */
    private record Trained(
            double bound,
            FactorTraining start,
            FactorTraining exact,
            FactorTraining roundedAfter,
            FactorTraining rounded) {}

    /**
     * Nothing learnt yet.
     *
     * @param w {@code [inputs][outputs]}
     */
    ProjectionFit(Kernels kernels, float[] w, int inputs, int outputs, int rank, LatentQuantizer quantizer) {
        this.kernels = kernels;
        this.w = w;
        this.inputs = inputs;
        this.outputs = outputs;
        this.rank = rank;
        this.quantizer = quantizer;
        this.moments = new double[outputs * outputs];
        this.product = new float[outputs * outputs];
    }

    /** Adds rows to the second moments, {@code [count][outputs]}. */
    void see(float[] rows, int count) {
        columns = columns.length == 0 ? new float[outputs * CHUNK] : columns;
        for (int t = 0; t < count; t += CHUNK) {
            int run = Math.min(CHUNK, count - t);
            Panels.transpose(rows, t * outputs, outputs, run, outputs, columns, run);
            Arrays.fill(product, 0f);
            kernels.sums(columns, 0, run, outputs, rows, t * outputs, outputs, run, outputs, product, 0, outputs);
            for (int i = 0; i < product.length; i++) {
                moments[i] += product[i];
            }
        }
    }

    /** Makes the start, when all was seen. */
    void begin(Start start, double[] scales, long tokens) {
        Svd principal = Svd.of(moments, outputs, outputs);
        Factors first = switch (start) {
            case PCA -> FactorStart.pca(w, inputs, outputs, rank, principal);
            case ASVD -> FactorStart.svd(w, inputs, outputs, rank, scales);
            case SVD -> {
                double[] ones = new double[inputs];
                Arrays.fill(ones, 1);
                yield FactorStart.svd(w, inputs, outputs, rank, ones);
            }
        };
        Factors exact = first.copy();
        trained = Optional.of(new Trained(
                FactorStart.bound(principal, rank, tokens),
                new FactorTraining(kernels, first, Optional.empty()),
                new FactorTraining(kernels, exact, Optional.empty()),
                new FactorTraining(kernels, exact, Optional.of(quantizer)),
                new FactorTraining(kernels, first.copy(), Optional.of(quantizer))));
    }

    private Trained trained() {
        return trained.orElseThrow(() -> new IllegalStateException("nothing was seen"));
    }

    /** Trains both on a batch. */
    void step(float[] x, float[] target, int first, int count, double rate) {
        trained().exact().step(x, target, first, count, rate);
        trained().rounded().step(x, target, first, count, rate);
    }

    /** Adds the sums of squared errors of a batch to {@code sums}: those of {@link Loss}, but for the bound. */
    void measure(float[] x, float[] target, int first, int count, double[] sums) {
        Trained now = trained();
        sums[Loss.START] += now.start().squaredError(x, target, first, count);
        sums[Loss.TRAINED] += now.exact().squaredError(x, target, first, count);
        sums[Loss.ROUNDED_AFTER] += now.roundedAfter().squaredError(x, target, first, count);
        sums[Loss.ROUNDED] += now.rounded().squaredError(x, target, first, count);
    }

    /** The lowest mean squared error that factors of the rank can have on what was seen. */
    double bound() {
        return trained().bound();
    }

    /** Factors for latents that are not quantized. */
    Factors exact() {
        return trained().exact().factors();
    }

    /** Factors trained through the quantizer. */
    Factors rounded() {
        return trained().rounded().factors();
    }

    /** What factors begin with. */
    enum Start {
        SVD,
        ASVD,
        PCA
    }
}
