package dev.kvasir.lab.step;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.kvasir.KvasirException;
import dev.kvasir.cache.CacheSpec;
import dev.kvasir.cache.PagePool;
import dev.kvasir.lab.compare.DefaultCaches;
import dev.kvasir.lab.metric.Logits;
import dev.kvasir.lab.metric.ReferenceDistribution;
import dev.kvasir.lab.perplexity.PerplexityOptions;
import dev.kvasir.lab.perplexity.PerplexityResult;
import dev.kvasir.lab.perplexity.PerplexityRun;
import dev.kvasir.model.Model;
import dev.kvasir.tensor.Workers;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

class EngineModelTest {
    private static final int VOCABULARY = 96;
    private static final long BUDGET = 1L << 28;

    /** Nats. Vector sums change their order when they are compiled; 2-bit damage is thousands of times larger. */
    private static final double ROUNDING = 1e-7;

    private final Model model = RandomModel.of(2, 4, 2, 32, VOCABULARY, 512, 11);
    private final int[] tokens =
            new SplittableRandom(3).ints(512, 0, VOCABULARY).toArray();

    /** In a model of one layer, keys and values depend on their token alone: a repeated prompt must be what feeding it is. */
    @Test
    void aRepeatedPromptIsStoredAsIfItsTokensWereFedAgain() {
        repeats(RandomModel.of(1, 4, 2, 32, VOCABULARY, 512, 11), true);
    }

    @Test
    void aRepeatedPromptTakesTheBytesOfOneThatIsFed() {
        repeats(model, false);
    }

    private void repeats(Model of, boolean sameLogits) {
        int[] again = new int[400];
        for (int i = 0; i < again.length; i++) {
            again[i] = tokens[i % 128];
        }
        int served = 0;
        try (PagePool pool = new PagePool(BUDGET);
                Workers workers = Workers.of(1)) {
            EngineModel engine = new EngineModel(of, pool, workers);
            StepModel.Recording recording = engine.record(tokens, 0, 128);
            for (CacheSpec spec : DefaultCaches.all()) {
                try (Sequence fed = engine.open(spec);
                        Sequence repeated = engine.open(spec)) {
                    served++;
                    float[] unused = new float[VOCABULARY];
                    repeated.feed(tokens, 0, 128, unused);
                    fed.feed(again, 0, 128, unused);
                    for (int count : new int[] {128, 100, 1, 30}) {
                        fed.feed(again, fed.length(), count, unused);
                        recording.feed(repeated, count);
                    }
                    assertThat(repeated.length()).isEqualTo(387);
                    assertThat(repeated.footprint()).as(spec.toString()).isEqualTo(fed.footprint());
                    double difference = divergence(next(fed, 200), next(repeated, 200));
                    if (sameLogits) {
                        assertThat(difference).as(spec.toString()).isLessThan(ROUNDING);
                    } else {
                        assertThat(difference).as(spec.toString()).isFinite();
                    }
                } catch (KvasirException e) {
                    // Wants a calibration, more layers, or heads of more channels, than this model has.
                    assertThat(e).hasMessageMatching(".*(calibrat|channels|layers).*");
                }
            }
            assertThat(served).isGreaterThan(10);
            assertThat(pool.usedBytes()).isZero();
        }
    }

    @Test
    void sequencesFedTogetherStandAsIfFedAlone() {
        try (PagePool pool = new PagePool(BUDGET);
                Workers workers = Workers.of(1)) {
            EngineModel engine = new EngineModel(model, pool, workers);
            List<Sequence> together = new ArrayList<>();
            for (CacheSpec spec : DefaultCaches.all()) {
                try {
                    together.add(engine.open(spec));
                } catch (KvasirException e) {
                    // Wants a calibration, or heads of more channels, than this model has.
                    assertThat(e).hasMessageMatching(".*(calibrat|channels).*");
                }
            }
            assertThat(together).hasSizeGreaterThan(10);
            engine.feedAll(together, tokens, 0, 200);
            for (Sequence shared : together) {
                try (Sequence alone = engine.open(shared.spec())) {
                    alone.feed(tokens, 0, 200, new float[VOCABULARY]);
                    assertThat(shared.length()).isEqualTo(200);
                    assertThat(shared.footprint()).isEqualTo(alone.footprint());
                    assertThat(divergence(next(alone, 200), next(shared, 200)))
                            .as(shared.spec().toString())
                            .isLessThan(ROUNDING);
                }
            }
            together.forEach(Sequence::close);
            assertThat(pool.usedBytes()).isZero();
        }
    }

    @Test
    void aForkGoesItsOwnWay() {
        try (PagePool pool = new PagePool(BUDGET);
                Workers workers = Workers.of(1)) {
            EngineModel engine = new EngineModel(model, pool, workers);
            try (Sequence first = engine.open(CacheSpec.parse("kivi(bits=2)"))) {
                first.feed(tokens, 0, 150, new float[VOCABULARY]);
                try (Sequence fork = first.fork()) {
                    next(fork, 300);
                    assertThat(first.length()).isEqualTo(150);
                }
                assertThat(first.bitsPerElement()).isBetween(2.0, 32.0);
            }
        }
    }

    @Test
    void damageFallsAsBitsRise() {
        try (PagePool pool = new PagePool(BUDGET);
                Workers workers = Workers.of(1)) {
            EngineModel engine = new EngineModel(model, pool, workers);
            PerplexityRun run =
                    new PerplexityRun(engine, DefaultCaches.reference(), new PerplexityOptions(256, 192, 2));
            List<PerplexityResult> results = run.run(
                    tokens,
                    List.of(
                            CacheSpec.parse("exact(dtype=f32)"),
                            CacheSpec.parse("block(q8_0)"),
                            CacheSpec.parse("block(q4_0)"),
                            CacheSpec.parse("kivi(bits=2, residual=32)")),
                    Progress.none());
            assertThat(results.getFirst().kld()).isZero();
            assertThat(results.getFirst().bitsPerElement()).isCloseTo(32, within(1e-9));
            assertThat(results.get(1).kld())
                    .isPositive()
                    .isLessThan(results.get(2).kld());
            assertThat(results.get(2).kld()).isLessThan(results.get(3).kld());
        }
    }

    private static double divergence(float[] exact, float[] other) {
        ReferenceDistribution distribution = new ReferenceDistribution(exact.length);
        distribution.set(exact);
        return distribution.klDivergence(other, Logits.logSumExp(other));
    }

    private static float[] next(Sequence sequence, int token) {
        float[] logits = new float[VOCABULARY];
        sequence.feed(new int[] {token % VOCABULARY}, 0, 1, logits);
        return logits;
    }
}
