package dev.kvasir.cache.method.rotatekv;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.kvasir.cache.CacheModel;
import dev.kvasir.cache.CacheShape;
import dev.kvasir.cache.CacheSpec;
import dev.kvasir.cache.Caches;
import dev.kvasir.cache.Calibration;
import dev.kvasir.cache.Calibrator;
import dev.kvasir.cache.Calibrator.Sensitivity;
import dev.kvasir.cache.Footprint;
import dev.kvasir.cache.KvCache;
import dev.kvasir.cache.OneStep;
import dev.kvasir.cache.PagePool;
import dev.kvasir.cache.Steps;
import dev.kvasir.cache.attention.SequenceCache;
import dev.kvasir.cache.kernel.Kernels;
import dev.kvasir.cache.kernel.PackedLayout;
import dev.kvasir.cache.kernel.PackedLayout.Axis;
import dev.kvasir.cache.kernel.Quantizer;
import dev.kvasir.cache.kernel.ScaleFormat;
import dev.kvasir.cache.store.PackedKeys;
import dev.kvasir.cache.store.Scratch;
import dev.kvasir.cache.store.StoreContents;
import dev.kvasir.tensor.RotaryTable;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What RotateKV's codes lose, on keys as trained models have them, and what they cost. */
class RotateKvErrorTest {
    private static final CacheShape SHAPE = new CacheShape(1, 8, 8, 128, 16);
    private static final int TOKENS = 256;
    private final RotateKvSteps keys = new RotateKvSteps(SHAPE, 11);
    private final RotateKvSteps gaussian = new RotateKvSteps(SHAPE, 12, false, Set.of());

    /** Relative squared error of keys as they are stored, before or after RoPE. Orders come from another text. */
    private static double error(RotateKvSteps model, String options) {
        CacheSpec spec = CacheSpec.parse("rotatekv(paramFormat=f16, sinkEntries=0, " + options + ")");
        Calibrator calibrator = Caches.calibrator(spec, CacheModel.of(SHAPE), "model");
        calibrator.see(0, model.otherText().states(0, 0, TOKENS), OneStep.queries(0, new float[0]), Sensitivity.NONE);
        Calibration calibration = calibrator.finish();
        CacheModel found = new CacheModel(SHAPE, RotaryTable.of(128, 10_000), OneStep.calibrations(calibration));
        try (PagePool pool = Steps.pool();
                SequenceCache cache = (SequenceCache) Caches.create(spec, found, pool, Steps.sequential())) {
            cache.layer(0).append(model.states(0, 0, TOKENS));
            cache.layer(0).attend(OneStep.queries(TOKENS, new float[TOKENS * 1024]), new float[TOKENS * 1024]);
            RotatedKeys packed = RotateKvTest.layer(cache, 0).packedKeys();
            float[] rows =
                    options.contains("post") ? model.states(0, 0, TOKENS).keys() : model.keysBeforeRope(0, 0, TOKENS);
            packed.basis().apply(rows, TOKENS);
            return relative(StoreContents.keys(packed.packed(), 1024), rows);
        }
    }

    /** The same of keys quantized per token without any rotation. */
    private static double plainError(RotateKvSteps model) {
        float[] rows = model.keysBeforeRope(0, 0, TOKENS);
        PackedLayout layout = new PackedLayout(128, 1024, 2, 128, Axis.PER_LANE, Quantizer.rotate(1, ScaleFormat.F16));
        try (PagePool pool = Steps.pool()) {
            PackedKeys packed = new PackedKeys(pool, Kernels.best(), layout);
            try (PagePool.Claim claim = pool.claim(packed.wantedBytes(TOKENS))) {
                packed.reserve(TOKENS, claim);
            }
            packed.append(rows, 0, 1024, TOKENS, new Scratch());
            return relative(StoreContents.keys(packed, 1024), rows);
        }
    }

    private static double relative(float[][] found, float[] rows) {
        double error = 0;
        double energy = 0;
        for (int i = 0; i < rows.length; i++) {
            error += Math.pow(found[i / 1024][i % 1024] - rows[i], 2);
            energy += Math.pow(rows[i], 2);
        }
        return error / energy;
    }

    @Test
    void orderedByTheSignedSumLosesLeast() {
        double plain = plainError(keys);
        double head = error(keys, "clip=1, headsPerRotation=1, reorder=off");
        double group = error(keys, "clip=1, reorder=off");
        double magnitude = error(keys, "clip=1, reorder=abs");
        double signed = error(keys, "clip=1");
        double after = error(keys, "clip=1, rotatePosition=post");
        String all = "plain %.3f, per head %.3f, 4 heads %.3f, abs %.3f, signed %.3f, after RoPE %.3f"
                .formatted(plain, head, group, magnitude, signed, after);
        assertThat(signed).as(all).isLessThan(0.10).isLessThan(0.6 * magnitude).isLessThan(0.6 * after);
        assertThat(magnitude).as(all).isLessThan(0.18).isLessThan(0.8 * group);
        assertThat(group).as(all).isLessThan(0.28).isLessThan(plain);
        assertThat(head).as(all).isLessThan(0.25).isLessThan(plain);
        assertThat(after).as(all).isLessThan(0.19);
    }

    @Test
    void clippingHelpsAtTwoBitsAndHurtsAtFour() {
        assertThat(error(keys, "clip=0.8"))
                .isLessThan(0.8 * error(keys, "clip=1"))
                .isLessThan(0.07);
        assertThat(error(gaussian, "clip=0.8")).isCloseTo(0.17, within(0.01));
        assertThat(error(gaussian, "clip=1")).isCloseTo(0.25, within(0.01));
        assertThat(error(keys, "bits=4, clip=1")).isLessThan(0.7 * error(keys, "bits=4, clip=0.8"));
        assertThat(error(keys, "bits=2")).isEqualTo(error(keys, "bits=2, clip=0.8"));
        assertThat(error(keys, "bits=4")).isEqualTo(error(keys, "bits=4, clip=1"));
    }

    @Test
    void errorFallsWithBits() {
        double two = error(keys, "clip=1");
        double three = error(keys, "bits=3");
        double four = error(keys, "bits=4");
        assertThat(three).isLessThan(0.019).isLessThan(two / 4);
        assertThat(four).isLessThan(0.004).isLessThan(three / 4);
        assertThat(error(keys, "bits=8")).isLessThan(four / 100);
    }

    @Test
    void rotationGainsNothingOnGaussianKeys() {
        assertThat(error(gaussian, "clip=1")).isCloseTo(plainError(gaussian), within(0.01));
    }

    @ParameterizedTest
    @CsvSource({"f16, 1", "fp8, 1", "f16, 0.8", "fp8, 0.8"})
    void noElementIsOffByMoreThanHalfAStep(String format, double clip) {
        try (PagePool pool = Steps.pool();
                SequenceCache cache = (SequenceCache) Caches.create(
                        CacheSpec.parse("rotatekv(reorder=off, paramFormat=" + format + ", clip=" + clip + ")"),
                        SHAPE,
                        pool,
                        Steps.sequential())) {
            cache.layer(0).append(keys.states(0, 0, 96));
            cache.layer(0).attend(OneStep.queries(96, new float[96 * 1024]), new float[96 * 1024]);
            RotatedKeys packed = RotateKvTest.layer(cache, 0).packedKeys();
            float[] rows = keys.keysBeforeRope(0, 0, 96);
            packed.basis().apply(rows, 96);
            float[][] found = StoreContents.keys(packed.packed(), 1024);
            for (int t = 0; t < 96; t++) {
                for (int g = 0; g < 1024; g += 128) {
                    assertWithin(found[t], rows, t * 1024, g, clip, StoreContents.scale(packed.packed(), t, g));
                }
            }
        }
    }

    private static void assertWithin(float[] found, float[] rows, int row, int group, double clip, float scale) {
        double min = Double.MAX_VALUE;
        double max = -Double.MAX_VALUE;
        for (int c = group; c < group + 128; c++) {
            min = Math.min(min, rows[row + c]);
            max = Math.max(max, rows[row + c]);
        }
        for (int c = group; c < group + 128; c++) {
            double off = Math.abs(found[c] - rows[row + c]);
            if (clip == 1) {
                assertThat(off).isLessThanOrEqualTo(scale / 2 * 1.0001);
            } else if (rows[row + c] >= clip * min && rows[row + c] <= clip * max) {
                assertThat(off).isLessThanOrEqualTo(scale * 1.0001);
            }
        }
    }

    @ParameterizedTest
    @CsvSource({"fp8, 2.193", "f16, 2.255"})
    void bitsAreThePapersButForTheCodesOfSinks(String format, double bits) {
        CacheShape shape = new CacheShape(1, 8, 8, 128, 16);
        CacheSpec spec = CacheSpec.parse("rotatekv(reorder=off, paramFormat=" + format + ")");
        PagePool pool = Steps.pool();
        RotateKvSteps model = new RotateKvSteps(shape, 2);
        try (KvCache chunks = Caches.create(spec, shape, pool, Steps.sequential())) {
            while (chunks.length() < 4096) {
                chunks.reserve(512);
                chunks.layer(0).append(model.states(0, chunks.length(), 512));
                chunks.layer(0).attend(OneStep.queries(512, new float[512 * 1024]), new float[512 * 1024]);
            }
            Footprint footprint = chunks.footprint();
            assertThat(pool.usedBytes()).isEqualTo(footprint.total());
            assertThat(footprint).isEqualTo(Caches.estimate(spec, shape, 4096));
            // The paper's formula leaves out the codes of the 20 exact tokens, which are kept here.
            double codes = 20 * (bits - 16 * 20 / 4096.0) / (4096 - 20);
            assertThat(footprint.bitsPerElement(shape, 4096)).isCloseTo(bits + codes, within(0.001));
        }
    }
}
