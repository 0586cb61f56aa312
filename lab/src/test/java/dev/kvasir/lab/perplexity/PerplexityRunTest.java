package dev.kvasir.lab.perplexity;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.kvasir.InvalidInputException;
import dev.kvasir.KvasirException;
import dev.kvasir.cache.CacheSpec;
import dev.kvasir.lab.step.FakeModel;
import dev.kvasir.lab.step.Progress;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class PerplexityRunTest {
    private static final CacheSpec EXACT = new CacheSpec("exact", Map.of());
    private static final CacheSpec LOSSY = new CacheSpec("lossy", Map.of());

    /** The exact cache expects 0.5, 0.25, 0.25 for tokens 0, 1, 2; the lossy one 0.25, 0.5, 0.25. */
    private static float[] coins(String method, List<Integer> fed) {
        float[] exact = {(float) Math.log(0.5), (float) Math.log(0.25), (float) Math.log(0.25)};
        float[] lossy = {exact[1], exact[0], exact[2]};
        return method.equals("exact") ? exact : lossy;
    }

    @Test
    void prefillsOneStepThenFeedsEveryOtherTokenByItself() {
        FakeModel model = new FakeModel(3, 100, PerplexityRunTest::coins);
        run(model, new int[11], 5, 2, 9, LOSSY);
        assertThat(model.steps.stream().filter(step -> step.startsWith("lossy")))
                .containsExactly(
                        "lossy 0+2",
                        "lossy 2+1",
                        "lossy 3+1",
                        "lossy 4+1", //
                        "lossy 0+2",
                        "lossy 2+1",
                        "lossy 3+1",
                        "lossy 4+1");
        assertThat(model.closed).isEqualTo(model.opened).isEqualTo(4);
    }

    @Test
    void countsThePredictionsOfTokensReadSingly() {
        for (int context = 2; context < 9; context++) {
            for (int prefill = 0; prefill <= context - 2; prefill++) {
                FakeModel model = new FakeModel(3, 100, PerplexityRunTest::coins);
                PerplexityResult result = run(model, new int[3 * context + 1], context, prefill, 99, LOSSY);
                assertThat(result.tokens()).isEqualTo(3L * (context - 1 - prefill));
                assertThat(result.windows()).isEqualTo(3);
            }
        }
    }

    @Test
    void predictsTheTokenAfterTheOneJustFed() {
        // Certain that the next token is one more than the last.
        FakeModel model = new FakeModel(8, 100, (method, fed) -> {
            float[] logits = new float[8];
            logits[(fed.getLast() + 1) % 8] = 50;
            return logits;
        });
        int[] counting = IntStream.range(0, 24).map(i -> i % 8).toArray();
        PerplexityResult result = run(model, counting, 12, 3, 9, LOSSY);
        assertThat(result.nll()).isCloseTo(0, within(1e-12));
        assertThat(result.ppl()).isCloseTo(1, within(1e-12));
        assertThat(result.top1()).isEqualTo(1);
    }

    @Test
    void matchesFiguresWorkedOutByHand() {
        FakeModel model = new FakeModel(3, 100, PerplexityRunTest::coins);
        // Window of 5 with 1 prefilled: counted are predictions of the tokens at 2, 3 and 4, that is 0, 1, 1.
        PerplexityResult result = run(model, new int[] {2, 2, 0, 1, 1}, 5, 1, 1, LOSSY);
        double nll = (Math.log(4) + Math.log(2) + Math.log(2)) / 3;
        double kld = 0.5 * Math.log(2) + 0.25 * Math.log(0.5);
        assertThat(result.nll()).isCloseTo(nll, within(1e-7));
        assertThat(result.ppl()).isCloseTo(Math.exp(nll), within(1e-6));
        assertThat(result.kld()).isCloseTo(kld, within(1e-7));
        assertThat(result.kldMax()).isCloseTo(kld, within(1e-7));
        assertThat(result.top1()).isZero();
        // Values ln 4, ln 2, ln 2: sample deviation ln 2 / sqrt 3, over sqrt 3.
        assertThat(result.nllStandardError()).isCloseTo(Math.log(2) / 3, within(1e-7));
    }

    @Test
    void exactCacheDoesNotDivergeFromItselfAndRunsOnce() {
        FakeModel model = new FakeModel(3, 100, PerplexityRunTest::coins);
        PerplexityRun run = new PerplexityRun(model, EXACT, new PerplexityOptions(5, 1, 1));
        List<PerplexityResult> results = run.run(new int[] {2, 2, 0, 1, 1}, List.of(LOSSY, EXACT), Progress.none());
        assertThat(results.get(1).kld()).isZero();
        assertThat(results.get(1).top1()).isEqualTo(1);
        assertThat(results.get(1).nll()).isCloseTo((Math.log(2) + 2 * Math.log(4)) / 3, within(1e-7));
        assertThat(model.opened).isEqualTo(2);
    }

    @Test
    void takesTheFootprintWhenTheWholeWindowIsStored() {
        FakeModel model = new FakeModel(3, 100, PerplexityRunTest::coins);
        PerplexityResult result = run(model, new int[20], 7, 2, 9, LOSSY);
        assertThat(result.cacheBytes()).isEqualTo(70);
        assertThat(result.bitsPerElement()).isEqualTo(3.5);
    }

    @Test
    void reportsEveryTokenOfEveryWindow() {
        List<Long> done = new ArrayList<>();
        FakeModel model = new FakeModel(3, 100, PerplexityRunTest::coins);
        PerplexityRun run = new PerplexityRun(model, EXACT, new PerplexityOptions(4, 2, 9));
        run.run(new int[8], List.of(LOSSY), (phase, unit, at, total, rate) -> {
            assertThat(total).isEqualTo(8);
            done.add(at);
        });
        assertThat(done).containsExactly(0L, 2L, 3L, 4L, 6L, 7L, 8L);
    }

    @Test
    void refusesATextShorterThanAWindow() {
        FakeModel model = new FakeModel(3, 100, PerplexityRunTest::coins);
        assertThatThrownBy(() -> run(model, new int[9], 10, 2, 1, LOSSY))
                .isInstanceOf(InvalidInputException.class)
                .hasMessageContaining("9 tokens")
                .hasMessageContaining("10");
    }

    @Test
    void refusesWhatLeavesNothingToPredict() {
        assertThatThrownBy(() -> new PerplexityOptions(8, 7, 1)).hasMessageContaining("0 to 6");
        assertThatThrownBy(() -> new PerplexityOptions(8, -1, 1)).isInstanceOf(InvalidInputException.class);
        assertThatThrownBy(() -> new PerplexityOptions(1, 0, 1)).isInstanceOf(InvalidInputException.class);
        assertThatThrownBy(() -> new PerplexityOptions(8, 2, 0)).isInstanceOf(InvalidInputException.class);
    }

    @Test
    void refusesAContextTheModelDoesNotHave() {
        FakeModel model = new FakeModel(3, 16, PerplexityRunTest::coins);
        assertThatThrownBy(() -> run(model, new int[64], 17, 2, 1, LOSSY))
                .isInstanceOf(InvalidInputException.class)
                .hasMessageContaining("16");
    }

    @Test
    void stopsAtLogitsThatAreNoNumbersAndClosesEverything() {
        FakeModel model = new FakeModel(
                3, 100, (method, fed) -> method.equals("lossy") ? new float[] {0, Float.NaN, 0} : new float[3]);
        assertThatThrownBy(() -> run(model, new int[8], 4, 1, 1, LOSSY))
                .isInstanceOf(KvasirException.class)
                .hasMessageContaining("lossy");
        assertThat(model.closed).isEqualTo(model.opened);
    }

    private static PerplexityResult run(
            FakeModel model, int[] tokens, int context, int prefill, int windows, CacheSpec cache) {
        PerplexityOptions options = new PerplexityOptions(context, prefill, windows);
        return new PerplexityRun(model, EXACT, options)
                .run(tokens, List.of(cache), Progress.none())
                .getFirst();
    }
}
