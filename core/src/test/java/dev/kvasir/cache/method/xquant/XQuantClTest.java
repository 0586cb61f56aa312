package dev.kvasir.cache.method.xquant;

import static dev.kvasir.cache.method.xquant.XQuantReference.attend;
import static dev.kvasir.cache.method.xquant.XQuantReference.half;
import static dev.kvasir.cache.method.xquant.XQuantReference.joined;
import static dev.kvasir.cache.method.xquant.XQuantReference.quantized;
import static dev.kvasir.cache.method.xquant.XQuantReference.rotated;
import static dev.kvasir.cache.method.xquant.XQuantReference.rows;
import static dev.kvasir.cache.method.xquant.XQuantReference.squared;
import static dev.kvasir.cache.method.xquant.XQuantReference.times;
import static dev.kvasir.cache.method.xquant.XQuantReference.transposed;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.kvasir.InvalidInputException;
import dev.kvasir.cache.CacheModel;
import dev.kvasir.cache.CacheShape;
import dev.kvasir.cache.CacheSpec;
import dev.kvasir.cache.Caches;
import dev.kvasir.cache.Calibrations;
import dev.kvasir.cache.Footprint;
import dev.kvasir.cache.KvCache;
import dev.kvasir.cache.MadeUpWeights;
import dev.kvasir.cache.PagePool;
import dev.kvasir.cache.Steps;
import dev.kvasir.cache.TokenStates;
import dev.kvasir.cache.attention.SequenceCache;
import dev.kvasir.cache.store.PackedValues;
import dev.kvasir.tensor.Workers;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Differences between layers: always to what is stored, added up at every step, in the bytes the paper says. */
class XQuantClTest {
    private static final CacheShape EACH = new CacheShape(5, 2, 2, 32, 64);
    private static final CacheShape GROUPED = new CacheShape(5, 4, 1, 32, 128);

    private static CacheModel model(CacheShape shape) {
        return MadeUpWeights.model(shape, Calibrations.NONE);
    }

    private static SequenceCache create(String spec, CacheModel model, PagePool pool) {
        return (SequenceCache) Caches.create(CacheSpec.parse(spec), model, pool, Steps.sequential());
    }

    /** A model's inputs: each layer's is that of the one before, and a little else; the norm of a number is 1. */
    private static final class Stream {
        private static final double KEPT = 0.97;

        private final CacheShape shape;
        private final MadeUpWeights weights;
        private final float[][] inputs;

        Stream(CacheShape shape, int tokens, long seed) {
            this.shape = shape;
            weights = new MadeUpWeights(shape);
            inputs = new float[shape.layers()][tokens * shape.hiddenSize()];
            Random random = new Random(seed);
            for (int i = 0; i < inputs[0].length; i++) {
                double x = random.nextGaussian();
                for (int layer = 0; layer < shape.layers(); layer++) {
                    inputs[layer][i] = (float) x;
                    x = KEPT * x + Math.sqrt(1 - KEPT * KEPT) * random.nextGaussian();
                }
            }
        }

        float[] step(int layer, int first, int count) {
            int hidden = shape.hiddenSize();
            return Arrays.copyOfRange(inputs[layer], first * hidden, (first + count) * hidden);
        }

        TokenStates states(int layer, int first, int count) {
            return weights.states(first, count, step(layer, first, count), layer);
        }

        double[][] rows(int layer, int tokens) {
            return XQuantReference.rows(inputs[layer], tokens, shape.hiddenSize());
        }

        /** Outputs of a step, one layer after the other. */
        float[] feed(KvCache cache, int count) {
            Steps queries = new Steps(shape, 1);
            int first = cache.length();
            int size = count * shape.heads() * shape.headDim();
            float[] all = new float[shape.layers() * size];
            cache.reserve(count);
            for (int layer = 0; layer < shape.layers(); layer++) {
                float[] out = new float[size];
                cache.layer(layer).append(states(layer, first, count));
                cache.layer(layer).attend(queries.queries(layer, first, count), out);
                System.arraycopy(out, 0, all, layer * size, size);
            }
            return all;
        }
    }

    /** The inputs that each layer from the start on stands for, by the formulas. */
    private static double[][][] sums(Stream stream, CacheModel model, DeltaPlan plan, int tokens) {
        int layers = plan.shape().layers();
        double[][][] sums = new double[layers][][];
        double[][] sum = new double[tokens][plan.shape().hiddenSize()];
        for (int layer = plan.start(); layer < layers; layer++) {
            double[][] difference = stream.rows(layer, tokens);
            for (int t = 0; t < tokens; t++) {
                for (int c = 0; c < sum[t].length; c++) {
                    difference[t][c] -= sum[t][c];
                }
            }
            int bits = layer == plan.start() ? plan.base().bits() : plan.bits();
            int group = Math.min(plan.group(), plan.width());
            double[][] added;
            if (plan.base().latent()) {
                Latents both = Latents.ofBoth(model.projections(), layer);
                double[][] basis = rows(both.basis(), both.width(), both.hidden());
                added = times(quantized(times(difference, basis), bits, group), transposed(basis));
            } else {
                added = quantized(difference, bits, group);
            }
            double[][] next = new double[tokens][sum.length == 0 ? 0 : sum[0].length];
            for (int t = 0; t < tokens; t++) {
                for (int c = 0; c < next[t].length; c++) {
                    double value = sum[t][c] + added[t][c];
                    next[t][c] = plan.element().text().equals("f16") ? half(value) : value;
                }
            }
            sum = next;
            sums[layer] = sum;
        }
        return sums;
    }

    private static DeltaPlan plan(String spec, CacheShape shape) {
        return DeltaPlan.of(Steps.settings(spec), shape);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "xquant-cl(base_layers=1)",
                "xquant-cl(2, base_layers=2, group=32)",
                "xquant-cl(8, base_layers=3, acc=f32)",
                "xquant-cl(base_layers=5)",
                "xquant-cl(base_layers=8, base_bits=8)"
            })
    void attendsToWhatTheFormulasStandFor(String spec) {
        for (CacheShape shape : List.of(EACH, GROUPED)) {
            CacheModel model = model(shape);
            DeltaPlan plan = plan(spec, shape);
            Stream stream = new Stream(shape, 200, 2);
            Steps queries = new Steps(shape, 1);
            int width = shape.kvHeads() * shape.headDim();
            int each = shape.heads() * shape.headDim();
            try (PagePool pool = Steps.pool();
                    KvCache cache = create(spec, model, pool)) {
                for (int count : new int[] {45, 1, 70, 3, 1, 1}) {
                    int first = cache.length();
                    double[][][] sums = sums(stream, model, plan, first);
                    float[] found = stream.feed(cache, count);
                    for (int layer = plan.start(); layer < shape.layers(); layer++) {
                        double[][] keys =
                                times(sums[layer], rows(model.projections().keys(layer)));
                        double[][] values =
                                times(sums[layer], rows(model.projections().values(layer)));
                        TokenStates own = stream.states(layer, first, count);
                        float[] expected = attend(
                                shape,
                                rows(queries.queries(layer, first, count).queries(), count, each),
                                joined(rotated(model, keys, 0), rows(own.keys(), count, width)),
                                joined(values, rows(own.values(), count, width)),
                                count);
                        float[] outputs = Arrays.copyOfRange(found, layer * count * each, (layer + 1) * count * each);
                        // Rounding may put a number on the other side of a border of its codes.
                        Steps.assertClose(outputs, expected, plan.bits() == 2 ? 3e-2 : 1e-2);
                    }
                }
            }
        }
    }

    @Test
    void errorsDoNotGrowWithDepth() {
        CacheShape shape = new CacheShape(16, 2, 2, 64, 128);
        Stream stream = new Stream(shape, 128, 4);
        CacheModel model = model(shape);
        double[] closed = new double[16];
        try (PagePool pool = Steps.pool();
                SequenceCache cache = create("xquant-cl(2, base_layers=1)", model, pool)) {
            stream.feed(cache, 100);
            stream.feed(cache, 28);
            double[][] sum = new double[128][128];
            for (int layer = 0; layer < 16; layer++) {
                PackedValues stored = ((DeltaLayer) cache.store(layer)).differences();
                double[][] inputs = stream.rows(layer, 128);
                for (int t = 0; t < 128; t++) {
                    double least = 0;
                    double most = 0;
                    for (int c = 0; c < 128; c++) {
                        double difference = inputs[t][c] - sum[t][c];
                        least = c == 0 ? difference : Math.min(least, difference);
                        most = c == 0 ? difference : Math.max(most, difference);
                        sum[t][c] = half(sum[t][c] + stored.value(t, c));
                    }
                    double step = (most - least) / (layer == 0 ? 15 : 3);
                    for (int c = 0; c < 128; c++) {
                        // Beside half a step: scale, minimum and sum are F16.
                        double error = Math.abs(inputs[t][c] - sum[t][c]);
                        assertThat(error).isLessThan(step / 2 + 0x1p-9);
                    }
                }
                closed[layer] = squared(inputs, sum) / (128 * 128);
            }
            float[] held = new float[64 * 128];
            ((DeltaLayer) cache.store(15)).sum().read(0, 64, held, 0);
            assertThat(squared(rows(held, 64, 128), Arrays.copyOf(sum, 64))).isZero();
        }
        assertThat(closed[15]).isBetween(0.015, 0.027);
        assertThat(closed[15]).isLessThan(1.2 * closed[4]);
        assertThat(openLoop(stream)).isGreaterThan(5 * closed[15]).isBetween(0.18, 0.3);
        double[][] last = stream.rows(15, 128);
        assertThat(squared(quantized(last, 2, 128), last) / (128 * 128)).isBetween(0.2, 0.32);
    }

    /** The mean square error at the last layer if differences were taken to the true input of the layer before. */
    private static double openLoop(Stream stream) {
        double[][] sum = quantized(stream.rows(0, 128), 4, 128);
        for (int layer = 1; layer < 16; layer++) {
            double[][] difference = stream.rows(layer, 128);
            double[][] before = stream.rows(layer - 1, 128);
            for (int t = 0; t < 128; t++) {
                for (int c = 0; c < 128; c++) {
                    difference[t][c] -= before[t][c];
                }
            }
            double[][] added = quantized(difference, 2, 128);
            for (int t = 0; t < 128; t++) {
                for (int c = 0; c < 128; c++) {
                    sum[t][c] += added[t][c];
                }
            }
        }
        return squared(sum, stream.rows(15, 128)) / (128 * 128);
    }

    @Test
    void projectionsDoNotSeeWhatLatentsLeaveOut() {
        CacheShape shape = new CacheShape(6, 8, 1, 32, 256);
        CacheModel model = model(shape);
        Stream stream = new Stream(shape, 20, 9);
        double[][] sum = new double[20][256];
        for (int layer = 0; layer < 6; layer++) {
            Latents both = Latents.ofBoth(model.projections(), layer);
            double[][] basis = rows(both.basis(), both.width(), both.hidden());
            double[][] inputs = stream.rows(layer, 20);
            double[][] difference = stream.rows(layer, 20);
            for (int t = 0; t < 20; t++) {
                for (int c = 0; c < 256; c++) {
                    difference[t][c] -= sum[t][c];
                }
            }
            double[][] added = times(times(difference, basis), transposed(basis));
            for (int t = 0; t < 20; t++) {
                for (int c = 0; c < 256; c++) {
                    sum[t][c] += added[t][c];
                }
            }
            double[][] weights = rows(model.projections().keys(layer));
            double[][] keys = times(inputs, weights);
            assertThat(Math.sqrt(squared(times(sum, weights), keys) / squared(keys, new double[20][32])))
                    .isLessThan(1e-6);
            assertThat(squared(sum, inputs)).isGreaterThan(1);
        }
    }

    @Test
    void moreBitsAreCloserToExactAndFewerThanPlainAtEqualBits() {
        CacheShape shape = new CacheShape(12, 2, 2, 64, 128);
        Stream stream = new Stream(shape, 129, 6);
        double[] errors = new double[9];
        for (int bits : new int[] {2, 3, 4, 8}) {
            errors[bits] = outputError(stream, "xquant-cl(bits=%d)".formatted(bits));
        }
        assertThat(errors[3]).isLessThan(errors[2]);
        assertThat(errors[4]).isLessThan(errors[3]);
        assertThat(errors[8]).isLessThan(errors[4]);
        assertThat(errors[2]).isLessThan(outputError(stream, "xquant(2)") / 3);
    }

    private static double outputError(Stream stream, String spec) {
        CacheModel model = model(stream.shape);
        try (PagePool pool = Steps.pool();
                KvCache cache = create(spec, model, pool);
                KvCache exact = create("exact", model, pool)) {
            stream.feed(cache, 128);
            stream.feed(exact, 128);
            float[] found = stream.feed(cache, 1);
            float[] wanted = stream.feed(exact, 1);
            double sum = 0;
            // The last layers: the first ones are alike.
            for (int i = wanted.length / 2; i < wanted.length; i++) {
                sum += Math.pow(found[i] - wanted[i], 2);
            }
            return sum;
        }
    }

    @ParameterizedTest
    @CsvSource({"3,1.671875", "2,1.21875"})
    void takesThePapersBytesAndThoseOfTheSum(int bits, double codes) {
        CacheShape shape = new CacheShape(32, 32, 32, 128, 4096);
        Footprint bytes = Caches.estimate(CacheSpec.parse("xquant-cl(bits=%d)".formatted(bits)), shape, 4096);
        assertThat(bytes.bitsPerElement(shape, 4096)).isCloseTo(codes + 0.25, within(1e-9));
        assertThat(bytes.windows()).isEqualTo(4096L * 4096 * 2);
    }

    @ParameterizedTest
    @ValueSource(strings = {"xquant-cl", "xquant-cl(2, base_layers=1)"})
    void codesDoNotDependOnHowTheTokensCame(String spec) throws IOException {
        for (CacheShape shape : List.of(EACH, GROUPED)) {
            int[] ones = new int[128];
            Arrays.fill(ones, 1);
            byte[] oneShot = saved(spec, shape, 128);
            assertThat(saved(spec, shape, 50, 1, 1, 39, 37)).isEqualTo(oneShot);
            assertThat(saved(spec, shape, ones)).isEqualTo(oneShot);
        }
    }

    private static byte[] saved(String spec, CacheShape shape, int... chunks) throws IOException {
        Stream stream = new Stream(shape, 128, 3);
        try (PagePool pool = Steps.pool();
                KvCache cache = create(spec, model(shape), pool)) {
            for (int chunk : chunks) {
                stream.feed(cache, chunk);
            }
            ByteArrayOutputStream out = new ByteArrayOutputStream();
            cache.save(out, "m");
            return out.toByteArray();
        }
    }

    @Test
    void aPromptMaySeeItselfAsStored() {
        CacheModel model = model(EACH);
        String spec = "xquant-cl(2, base_layers=1, quantizedPrefill=true)";
        Stream stream = new Stream(EACH, 60, 7);
        double[][][] sums = sums(stream, model, plan(spec, EACH), 60);
        Steps queries = new Steps(EACH, 1);
        try (PagePool pool = Steps.pool();
                KvCache cache = create(spec, model, pool)) {
            stream.feed(cache, 40);
            float[] found = stream.feed(cache, 20);
            for (int layer = 0; layer < 5; layer++) {
                double[][] keys = rotated(
                        model, times(sums[layer], rows(model.projections().keys(layer))), 0);
                double[][] values = times(sums[layer], rows(model.projections().values(layer)));
                float[] expected =
                        attend(EACH, rows(queries.queries(layer, 40, 20).queries(), 20, 64), keys, values, 20);
                Steps.assertClose(Arrays.copyOfRange(found, layer * 1280, (layer + 1) * 1280), expected, 1e-2);
            }
        }
    }

    @Test
    void threadsChangeNothing() {
        for (CacheShape shape : List.of(EACH, GROUPED)) {
            CacheModel model = model(shape);
            Stream stream = new Stream(shape, 1400, 8);
            CacheSpec spec = CacheSpec.parse("xquant-cl(base_layers=2)");
            try (PagePool pool = Steps.pool();
                    Workers two = Steps.twoThreads();
                    KvCache one = Caches.create(spec, model, pool, Steps.sequential());
                    KvCache parallel = Caches.create(spec, model, pool, two)) {
                for (int count : new int[] {700, 650, 1, 1, 5}) {
                    assertThat(stream.feed(parallel, count)).isEqualTo(stream.feed(one, count));
                }
            }
        }
    }

    @Test
    void theSumIsSharedByTheLayersAndCountedOnce() {
        CacheModel model = model(EACH);
        Stream stream = new Stream(EACH, 100, 8);
        try (PagePool pool = Steps.pool();
                SequenceCache cache = create("xquant-cl(base_layers=2)", model, pool)) {
            stream.feed(cache, 70);
            assertThat(cache.store(0)).isInstanceOf(InputLayer.class);
            assertThat(cache.store(1).footprint().windows()).isEqualTo(2L * 128 * 64);
            for (int layer = 2; layer < 5; layer++) {
                assertThat(cache.store(layer).footprint().windows()).isZero();
                assertThat(((DeltaLayer) cache.store(layer)).sum()).isSameAs(((DeltaLayer) cache.store(1)).sum());
            }
        }
    }

    @Test
    void saysWhatItCannotServe() {
        try (PagePool pool = Steps.pool()) {
            assertThatThrownBy(() -> create("xquant-cl(base_layers=9)", model(EACH), pool))
                    .isInstanceOf(InvalidInputException.class)
                    .hasMessageContaining("1 to 8");
            assertThatThrownBy(() -> create("xquant-cl", model(new CacheShape(4, 2, 2, 64, 72)), pool))
                    .isInstanceOf(InvalidInputException.class)
                    .hasMessageContaining("72");
        }
    }
}
