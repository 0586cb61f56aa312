package dev.kvasir.cache.method.cskv;

import dev.kvasir.InvalidInputException;
import dev.kvasir.cache.CacheModel;
import dev.kvasir.cache.CacheSettings;
import dev.kvasir.cache.CacheShape;
import dev.kvasir.cache.Calibration;
import dev.kvasir.cache.Calibrator;
import dev.kvasir.cache.Queries;
import dev.kvasir.cache.TokenStates;
import dev.kvasir.cache.kernel.Kernels;
import dev.kvasir.cache.method.cskv.ProjectionFit.Start;
import dev.kvasir.cache.store.Panels;
import dev.kvasir.tensor.Matrix;
import dev.kvasir.tensor.RowReader;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * Learns the factors of every layer's projections, layer by layer from what the original model computes: statistics in a
 * first pass, training in as many as there are epochs, losses in a last one. Both for latents that are not quantized and,
 * through the quantizer, for those of 4 bits.
 *
 * <pre>
 *   layer.L.k.exact.a, .b    [hiddenSize][rank], [rank][kvHeads * headDim]; likewise v
 *   layer.L.k.q4.a, .b       trained through the quantizer
 *   losses                   [layers][k, v][start, trained, bound, trained then rounded, trained rounded]
 * </pre>
 */
final class CskvCalibrator implements Calibrator {
    private static final double SMALLEST_SCALE = 1e-6;

    private final CskvPlan plan;
    private final String fingerprint;
    private final Map<String, String> made;
    private final Start start;
    private final int epochs;
    private final int batch;
    private final double rate;
    private final double alpha;
    private final List<LayerFit> layers = new ArrayList<>();
    private int pass;

    CskvCalibrator(CacheSettings settings, CacheModel model, String fingerprint) {
        this.plan = CskvPlan.of(settings, model.shape());
        this.fingerprint = fingerprint;
        this.start = Start.valueOf(settings.text("init").toUpperCase(Locale.ROOT));
        this.epochs = settings.number("epochs");
        this.batch = settings.number("batch");
        this.rate = settings.decimal("lr");
        this.alpha = settings.decimal("alpha");
        check();
        made = new LinkedHashMap<>();
        for (String option : List.of("k_density", "v_density", "block", "init", "alpha", "epochs", "batch", "lr")) {
            made.put(option, settings.text(option));
        }
        Kernels kernels = Kernels.best();
        for (int layer = 0; layer < plan.shape().layers(); layer++) {
            layers.add(new LayerFit(
                    fit(kernels, model.projections().keys(layer), plan.keys()),
                    fit(kernels, model.projections().values(layer), plan.values())));
        }
    }

    private void check() {
        if (batch < plan.block() || batch % plan.block() != 0 || batch > 1 << 16) {
            throw new InvalidInputException("cskv: batch=" + batch + " is not possible, allowed: multiples of block="
                    + plan.block() + " up to 65536");
        }
        if (epochs > 1000 || rate > 1 || alpha > 1) {
            throw new InvalidInputException("cskv: epochs=" + epochs + ", lr=" + rate + ", alpha=" + alpha
                    + " are not possible, allowed: 0 to 1000, 0 to 1, 0 to 1");
        }
    }

    private ProjectionFit fit(Kernels kernels, Matrix weights, CskvPlan.Side side) {
        int inputs = weights.columns();
        int outputs = weights.rows();
        float[] rows = new float[inputs * outputs];
        for (int row = 0; row < outputs; row++) {
            RowReader.read(weights, row, 0, inputs, rows, row * inputs);
        }
        float[] w = new float[inputs * outputs];
        Panels.transpose(rows, 0, inputs, outputs, inputs, w, outputs);
        LatentQuantizer quantizer =
                new LatentQuantizer(CskvPlan.TRAINED_BITS, side.byChannel(), plan.block(), side.group());
        return new ProjectionFit(kernels, w, inputs, outputs, side.rank(), quantizer);
    }

    /** One layer's two projections and the statistics of their common input. */
    private final class LayerFit {
        private final ProjectionFit keys;
        private final ProjectionFit values;
        private final double[] magnitudes = new double[plan.shape().hiddenSize()];
        private final double[][] sums = new double[2][Loss.COUNT];
        private long tokens;
        private int batches;
        private int steps;

        LayerFit(ProjectionFit keys, ProjectionFit values) {
            this.keys = keys;
            this.values = values;
        }

        void gather(float[] x, float[] k, float[] v, int count) {
            for (int i = 0; i < count * magnitudes.length; i++) {
                magnitudes[i % magnitudes.length] += Math.abs(x[i]);
            }
            keys.see(k, count);
            values.see(v, count);
            tokens += count;
            batches += Math.ceilDiv(count, batch);
        }

        void begin() {
            if (tokens == 0) {
                throw new InvalidInputException("cskv: sequences to calibrate with must have at least block="
                        + plan.block() + " tokens, found none");
            }
            double[] scales = new double[magnitudes.length];
            for (int i = 0; i < scales.length; i++) {
                scales[i] = Math.pow(magnitudes[i] / tokens + SMALLEST_SCALE, alpha);
            }
            keys.begin(start, scales, tokens);
            values.begin(start, scales, tokens);
        }

        void train(float[] x, float[] k, float[] v, int count) {
            for (int first = 0; first < count; first += batch) {
                int run = Math.min(batch, count - first);
                // Falls linearly to 0 over all epochs.
                double now = rate * (1 - (double) steps / ((long) epochs * batches));
                steps++;
                keys.step(x, k, first, run, now);
                values.step(x, v, first, run, now);
            }
        }

        void measure(float[] x, float[] k, float[] v, int count) {
            for (int first = 0; first < count; first += batch) {
                int run = Math.min(batch, count - first);
                keys.measure(x, k, first, run, sums[0]);
                values.measure(x, v, first, run, sums[1]);
            }
        }

        void losses(float[] out, int at) {
            for (int side = 0; side < 2; side++) {
                for (int loss = 0; loss < Loss.COUNT; loss++) {
                    out[at + side * Loss.COUNT + loss] = (float) (sums[side][loss] / ((double) tokens * plan.width()));
                }
            }
            out[at + Loss.BOUND] = (float) keys.bound();
            out[at + Loss.COUNT + Loss.BOUND] = (float) values.bound();
        }
    }

    @Override
    public int passes() {
        return epochs + 2;
    }

    @Override
    public void begin(int next) {
        pass = next;
        if (pass == 1) {
            layers.forEach(LayerFit::begin);
        }
    }

    @Override
    public void see(int layer, TokenStates states, Queries queries, Sensitivity sensitivity) {
        LayerFit fit = layers.get(layer);
        // What is left over from whole blocks is never quantized, nor learnt from.
        int count = states.count() / plan.block() * plan.block();
        if (pass == 0) {
            fit.gather(states.input(), states.keysBeforeRope(), states.values(), count);
        } else if (pass <= epochs) {
            fit.train(states.input(), states.keysBeforeRope(), states.values(), count);
        } else {
            fit.measure(states.input(), states.keysBeforeRope(), states.values(), count);
        }
    }

    @Override
    public Calibration finish() {
        CacheShape shape = plan.shape();
        Map<String, Calibration.Tensor> tensors = new LinkedHashMap<>();
        int kinds = Loss.COUNT;
        float[] losses = new float[shape.layers() * 2 * kinds];
        for (int layer = 0; layer < shape.layers(); layer++) {
            LayerFit fit = layers.get(layer);
            add(tensors, layer, true, fit.keys);
            add(tensors, layer, false, fit.values);
            fit.losses(losses, layer * 2 * kinds);
        }
        tensors.put("losses", Calibration.Tensor.of(losses, shape.layers(), 2, kinds));
        return new Calibration(CskvPlan.NAME, made, fingerprint, tensors);
    }

    private static void add(Map<String, Calibration.Tensor> tensors, int layer, boolean keys, ProjectionFit fit) {
        add(tensors, LayerFactors.name(layer, keys, CskvPlan.Side.variant(CskvPlan.EXACT_BITS)), fit.exact());
        add(tensors, LayerFactors.name(layer, keys, CskvPlan.Side.variant(CskvPlan.TRAINED_BITS)), fit.rounded());
    }

    private static void add(Map<String, Calibration.Tensor> tensors, String name, Factors factors) {
        tensors.put(name + ".a", Calibration.Tensor.of(factors.a(), factors.inputs(), factors.rank()));
        tensors.put(name + ".b", Calibration.Tensor.of(factors.b(), factors.rank(), factors.outputs()));
    }
}
