package dev.kvasir.cache.method.rotatekv;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.kvasir.InvalidInputException;
import dev.kvasir.cache.CacheModel;
import dev.kvasir.cache.CacheShape;
import dev.kvasir.cache.CacheSpec;
import dev.kvasir.cache.Caches;
import dev.kvasir.cache.Calibrations;
import dev.kvasir.cache.KvCache;
import dev.kvasir.cache.MadeUpWeights;
import dev.kvasir.cache.PagePool;
import dev.kvasir.cache.Steps;
import dev.kvasir.cache.TokenStates;
import dev.kvasir.cache.attention.SequenceCache;
import dev.kvasir.cache.kernel.Kernels;
import dev.kvasir.cache.store.Scratch;
import dev.kvasir.cache.store.StoreContents;
import dev.kvasir.cache.transform.GroupedHadamard;
import dev.kvasir.cache.transform.Hadamard;
import dev.kvasir.model.Decoder;
import dev.kvasir.model.Model;
import dev.kvasir.model.ModelConfig;
import dev.kvasir.model.RopeScaling;
import dev.kvasir.model.TestModels;
import dev.kvasir.tensor.DType;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Bases folded into the weights must give what is turned token by token. */
class FusedProjectionsTest {
    private static final CacheShape SHAPE = new CacheShape(2, 8, 4, 32, 48);

    @ParameterizedTest
    @CsvSource({"4, 64, 4, 96", "2, 80, 2, 33", "3, 96, 1, 160", "8, 128, 4, 64"})
    void giveTheRowsThatTheBasesGive(int kvHeads, int headDim, int group, int hidden) {
        CacheShape shape = new CacheShape(1, kvHeads, kvHeads, headDim, hidden);
        int channels = kvHeads * headDim;
        Random random = new Random(channels);
        KeyBasis basis = new KeyBasis(new GroupedHadamard(group, headDim), RotateKvTest.shuffled(channels, random));
        MadeUpWeights weights = new MadeUpWeights(shape);
        FusedProjections fused = FusedProjections.of(weights, 0, basis, new Hadamard(headDim), Kernels.best());
        float[] input = new float[5 * hidden];
        for (int i = 0; i < input.length; i++) {
            input[i] = (float) random.nextGaussian();
        }
        TokenStates states = weights.states(0, 5, input, 0);
        float[] keys = states.keysBeforeRope().clone();
        basis.apply(keys, 5);
        float[] values = states.values().clone();
        new Hadamard(headDim).apply(values, 0, 5 * kvHeads);
        float[] out = new float[5 * channels];
        fused.keys().ofRows(input, 0, 5, 0, channels, out, 0, new Scratch());
        assertThat(out).containsExactly(keys, within(1e-5f));
        fused.values().ofRows(input, 0, 5, 0, channels, out, 0, new Scratch());
        assertThat(out).containsExactly(values, within(1e-5f));
    }

    @Test
    void areMadeOnceForAllCachesOfAModelAndOrder() {
        MadeUpWeights weights = new MadeUpWeights(SHAPE);
        GroupedHadamard rotation = new GroupedHadamard(4, 32);
        KeyBasis one = new KeyBasis(rotation, RotateKvTest.shuffled(128, new Random(1)));
        KeyBasis other = new KeyBasis(rotation, RotateKvTest.shuffled(128, new Random(2)));
        float[] input =
                new Random(3).doubles(48).collect(() -> new float[48], (a, v) -> a[0] += (float) v, (a, b) -> {});
        float[] ofOne = project(weights, one, input);
        assertThat(project(weights, one, input)).isEqualTo(ofOne);
        assertThat(project(weights, other, input)).isNotEqualTo(ofOne);
    }

    private static float[] project(MadeUpWeights weights, KeyBasis basis, float[] input) {
        float[] out = new float[128];
        FusedProjections.of(weights, 0, basis, new Hadamard(32), Kernels.best())
                .keys()
                .ofRows(input, 0, 1, 0, 128, out, 0, new Scratch());
        return out;
    }

    /** A code of 8 bits that rounding carried over its border would move a logit by more than this. */
    @Test
    void aDecoderPredictsTheSame() {
        ModelConfig config = ModelConfig.llama(
                96, 240, 3, 8, 4, 32, 97, 512, 1e-5f, 10_000, RopeScaling.none(), false, Optional.of(0), List.of(1));
        Model model = TestModels.random(config, DType.F32, 12);
        int[] tokens = new Random(4).ints(70, 2, 97).toArray();
        float[] plain = logits(model, tokens, "rotatekv(bits=8, reorder=off)");
        float[] fused = logits(model, tokens, "rotatekv(bits=8, reorder=off, fuse=true)");
        assertThat(fused).containsExactly(plain, within(1e-4f));
    }

    private static float[] logits(Model model, int[] tokens, String spec) {
        float[] logits = new float[model.config().vocabularySize()];
        try (PagePool pool = Steps.pool();
                KvCache cache = Caches.create(CacheSpec.parse(spec), model.cacheModel(), pool, Steps.sequential())) {
            Decoder decoder = new Decoder(model, Steps.sequential());
            decoder.forward(cache, tokens, 0, 64, logits);
            for (int t = 64; t < tokens.length; t++) {
                decoder.forward(cache, tokens, t, 1, logits);
            }
        }
        return logits;
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 7, 64})
    void codesDoNotDependOnTheSteps(int step) {
        Steps steps = Steps.projected(SHAPE, 9);
        CacheModel model = MadeUpWeights.model(SHAPE, Calibrations.NONE);
        CacheSpec spec = CacheSpec.parse("rotatekv(reorder=off, sinkEntries=0, fuse=true)");
        try (PagePool pool = Steps.pool();
                SequenceCache whole = (SequenceCache) Caches.create(spec, model, pool, Steps.sequential());
                SequenceCache pieces = (SequenceCache) Caches.create(spec, model, pool, Steps.sequential())) {
            steps.feed(whole, 150);
            for (int t = 0; t < 150; t += step) {
                steps.feed(pieces, Math.min(step, 150 - t));
            }
            for (int layer = 0; layer < SHAPE.layers(); layer++) {
                RotateKvLayer expected = RotateKvTest.layer(whole, layer);
                RotateKvLayer found = RotateKvTest.layer(pieces, layer);
                assertThat(StoreContents.keys(found.packedKeys().packed(), 128))
                        .isDeepEqualTo(StoreContents.keys(expected.packedKeys().packed(), 128));
                assertThat(StoreContents.values(found.packedValues(), 128))
                        .isDeepEqualTo(StoreContents.values(expected.packedValues(), 128));
            }
        }
    }

    @Test
    void countTheirWeights() {
        long bytes = 2L * 2 * 4 * 32 * 48 * Float.BYTES;
        assertThat(Caches.weightBytes(CacheSpec.parse("rotatekv(fuse=true)"), SHAPE))
                .isEqualTo(bytes);
        assertThat(Caches.weightBytes(CacheSpec.parse("rotatekv"), SHAPE)).isZero();
    }

    @Test
    void cannotBeAfterRope() {
        assertThatThrownBy(
                        () -> Caches.estimate(CacheSpec.parse("rotatekv(rotatePosition=post, fuse=true)"), SHAPE, 10))
                .isInstanceOf(InvalidInputException.class)
                .hasMessageContaining("fuse=true is not possible with rotatePosition=post");
    }
}
