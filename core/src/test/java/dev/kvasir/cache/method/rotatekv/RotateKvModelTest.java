package dev.kvasir.cache.method.rotatekv;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kvasir.cache.CacheSpec;
import dev.kvasir.cache.Caches;
import dev.kvasir.cache.KvCache;
import dev.kvasir.cache.PagePool;
import dev.kvasir.cache.Steps;
import dev.kvasir.cache.attention.SequenceCache;
import dev.kvasir.cache.store.ExactRows;
import dev.kvasir.model.Decoder;
import dev.kvasir.model.Model;
import dev.kvasir.model.ModelConfig;
import dev.kvasir.model.RopeScaling;
import dev.kvasir.model.TestModels;
import dev.kvasir.tensor.DType;
import dev.kvasir.tensor.Matrix;
import dev.kvasir.tensor.Workers;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** Attention sinks in a decoder one of whose tokens has a massive activation. */
class RotateKvModelTest {
    private static final int MASSIVE = 7;
    private static final int CHANNEL = 9;
    private static final int PROMPT = 80;

    private static final ModelConfig CONFIG = ModelConfig.llama(
            96, 240, 3, 8, 4, 32, 97, 512, 1e-5f, 10_000, RopeScaling.none(), false, Optional.of(0), List.of(1));

    private final Model model = TestModels.random(CONFIG, DType.F32, 12);
    private final int[] tokens = new Random(2).ints(PROMPT + 40, 10, 97).toArray();

    RotateKvModelTest() {
        Matrix embedding = model.weights().embedding();
        long at = ((long) MASSIVE * embedding.columns() + CHANNEL) * 4;
        float usual = embedding.data().get(ValueLayout.JAVA_FLOAT_UNALIGNED, at);
        embedding.data().set(ValueLayout.JAVA_FLOAT_UNALIGNED, at, 100 * usual);
        for (int i = 0; i < 3; i++) {
            tokens[11 + 20 * i] = MASSIVE;
        }
    }

    @Test
    void aMassiveTokenIsASinkOfEveryLayer() {
        try (PagePool pool = Steps.pool();
                Workers workers = Workers.of(1);
                SequenceCache cache = (SequenceCache) cache("rotatekv(reorder=off)", pool)) {
            new Decoder(model, workers).forward(cache, tokens, 0, PROMPT, new float[97]);
            for (int layer = 0; layer < 3; layer++) {
                ExactRows sinks = RotateKvTest.layer(cache, layer).sinks();
                int[] slots = new int[sinks.count()];
                Arrays.setAll(slots, sinks::slot);
                assertThat(slots).contains(11, 31, 51).hasSizeLessThanOrEqualTo(20);
            }
        }
    }

    @Test
    void sinksBringThePredictionsNearerToTheExactOnes() {
        double with = divergence("rotatekv(reorder=off)");
        double without = divergence("rotatekv(reorder=off, sinkEntries=0)");
        assertThat(with).as("without sinks %f", without).isPositive().isLessThan(0.9 * without);
    }

    /** Mean KL divergence of the exact cache's predictions to this one's, tokens after the prompt fed one by one. */
    private double divergence(String spec) {
        double sum = 0;
        try (PagePool pool = Steps.pool();
                Workers workers = Workers.of(1);
                KvCache exact = cache("exact", pool);
                KvCache cache = cache(spec, pool)) {
            Decoder decoder = new Decoder(model, workers);
            float[] wanted = new float[97];
            float[] found = new float[97];
            decoder.forward(exact, tokens, 0, PROMPT, wanted);
            decoder.forward(cache, tokens, 0, PROMPT, found);
            for (int t = PROMPT; t < tokens.length; t++) {
                decoder.forward(exact, tokens, t, 1, wanted);
                decoder.forward(cache, tokens, t, 1, found);
                sum += divergence(wanted, found);
            }
        }
        return sum / (tokens.length - PROMPT);
    }

    private static double divergence(float[] exact, float[] other) {
        double sum = 0;
        for (int i = 0; i < exact.length; i++) {
            double logP = exact[i] - logSum(exact);
            sum += Math.exp(logP) * (logP - other[i] + logSum(other));
        }
        return sum;
    }

    private static double logSum(float[] logits) {
        double sum = 0;
        for (float logit : logits) {
            sum += Math.exp(logit);
        }
        return Math.log(sum);
    }

    private KvCache cache(String spec, PagePool pool) {
        return Caches.create(CacheSpec.parse(spec), model.cacheModel(), pool, Steps.sequential());
    }
}
