package dev.kvasir.lab.compare;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kvasir.InvalidInputException;
import dev.kvasir.cache.CacheSpec;
import dev.kvasir.lab.accuracy.TaskOptions;
import dev.kvasir.lab.accuracy.TaskResult;
import dev.kvasir.lab.accuracy.TurnOptions;
import dev.kvasir.lab.bench.SpeedOptions;
import dev.kvasir.lab.compare.ComparisonResult.Row;
import dev.kvasir.lab.info.ModelInfo;
import dev.kvasir.lab.perplexity.PerplexityOptions;
import dev.kvasir.lab.step.FakeModel;
import dev.kvasir.lab.step.Progress;
import dev.kvasir.lab.task.Split;
import dev.kvasir.tokenizer.Tokenizer;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;

class ComparisonTest {
    private static final int VOCABULARY = 512;
    private static final CacheSpec EXACT = new CacheSpec("exact", Map.of());
    private static final CacheSpec GOOD = new CacheSpec("good", Map.of());
    private static final CacheSpec UNFIT = new CacheSpec("unfit", Map.of());
    private static final ModelInfo INFO = new ModelInfo(
            "fake", "llama", List.of(), 1, 1, 1, 1, 1, 1, 2, VOCABULARY, 256, 1, true, 1, Map.of(), 1, "f");
    private static final Pattern WORD = Pattern.compile("\\s*\\S+|\\s+$");

    private final FakeModel model = new FakeModel(VOCABULARY, 256, (method, fed) -> {
        float[] logits = new float[VOCABULARY];
        logits[fed.getLast()] = method.equals("exact") ? 1 : 1.5f;
        return logits;
    });

    private final Comparison comparison = new Comparison(model, INFO, Machine.current(1), ComparisonTest::encode);

    static Tokenizer.Encoding encode(String text) {
        MatchResult[] words = WORD.matcher(text).results().toArray(MatchResult[]::new);
        int[] ids = new int[words.length];
        int[] starts = new int[words.length];
        int[] ends = new int[words.length];
        for (int i = 0; i < words.length; i++) {
            ids[i] = Math.floorMod(words[i].group().hashCode(), VOCABULARY);
            starts[i] = words[i].start();
            ends[i] = words[i].end();
        }
        return new Tokenizer.Encoding(ids, starts, ends);
    }

    private static ComparisonOptions options(List<CacheSpec> caches, boolean skipUnfit, List<String> tasks) {
        return new ComparisonOptions(
                caches,
                EXACT,
                skipUnfit,
                new PerplexityOptions(64, 32, 2),
                tasks,
                new TaskOptions(2, 128, 4, 8, Split.TEST, 0),
                new TurnOptions(3, 128, 2, Split.TEST, 0),
                new SpeedOptions(16, List.of(0, 32), 4, 2, 16, 1),
                1);
    }

    @Test
    void everyCacheHasARowAndTheExactOneIsFirst() {
        Text text = Text.generated(128, 1, ComparisonTest::encode);
        ComparisonResult result = comparison.run(
                options(List.of(GOOD, EXACT), false, List.of("retrieval", "arithmetic")), text, Progress.none());
        assertThat(result.rows().stream().map(Row::cache)).containsExactly(EXACT.toString(), GOOD.toString());
        assertThat(result.rows().stream().map(Row::reference)).containsExactly(true, false);
        assertThat(result.rows()).allSatisfy(row -> {
            assertThat(row.quality().tokens()).isEqualTo(62);
            assertThat(row.tasks()).hasSize(2);
            assertThat(row.accuracy().orElseThrow().trials())
                    .isEqualTo(row.tasks().stream()
                            .mapToLong(task -> task.answers().trials())
                            .sum());
            assertThat(row.speed().depths()).hasSize(2);
            assertThat(row.bytesPerToken()).isEqualTo(10);
        });
        assertThat(result.rows().getFirst().quality().kld()).isZero();
        assertThat(result.rows().getLast().quality().kld()).isPositive();
        assertThat(model.closed).isEqualTo(model.opened);
    }

    @Test
    void turnsHaveSharesOfTheirOwnAndStayOutOfTheSum() {
        Text text = Text.generated(128, 1, ComparisonTest::encode);
        ComparisonResult result = comparison.run(
                options(List.of(GOOD), false, List.of("retrieval", "retrieval:turns", "retrieval:requests")),
                text,
                Progress.none());
        assertThat(result.rows()).allSatisfy(row -> {
            TaskResult turns = row.tasks().get(1);
            assertThat(turns.task()).isEqualTo("retrieval:turns");
            assertThat(turns.turns())
                    .hasSize(2)
                    .allSatisfy(turn -> assertThat(turn.trials()).isEqualTo(3));
            assertThat(row.lastTurn()).contains(turns.turns().getLast());
            assertThat(row.accuracy().orElseThrow().trials())
                    .isEqualTo(row.tasks().get(0).answers().trials()
                            + row.tasks().get(2).answers().trials());
        });
    }

    @Test
    void reportsEveryPhase() {
        Set<String> phases = new LinkedHashSet<>();
        Text text = Text.generated(128, 1, ComparisonTest::encode);
        comparison.run(
                options(List.of(GOOD), false, List.of("two-hop")),
                text,
                (phase, unit, done, total, rate) -> phases.add(phase));
        assertThat(phases).containsExactly("speed", "perplexity", "two-hop");
    }

    @Test
    void leavesOutADefaultCacheThatDoesNotFitAndSaysWhy() {
        Text text = Text.generated(128, 1, ComparisonTest::encode);
        ComparisonResult result = comparison.run(options(List.of(UNFIT, GOOD), true, List.of()), text, Progress.none());
        assertThat(result.rows()).hasSize(2);
        assertThat(result.rows().getFirst().accuracy()).isEmpty();
        assertThat(result.skipped())
                .containsExactly(new ComparisonResult.Skipped(UNFIT.toString(), "unfit: does not fit"));
    }

    @Test
    void stopsBeforeAnyWorkAtWhatCannotBeDone() {
        Text text = Text.generated(128, 1, ComparisonTest::encode);
        Text little = new Text("little", new int[3]);
        refuses(options(List.of(UNFIT), false, List.of()), text, "does not fit");
        refuses(options(List.of(GOOD), false, List.of("retrieva")), text, "retrieval");
        refuses(options(List.of(GOOD), false, List.of("arithmetic:turns")), text, "arithmetic:turns");
        refuses(options(List.of(GOOD), false, List.of()), little, "3 tokens");
        assertThat(model.steps).isEmpty();
    }

    @Test
    void optionsOfAnEffortFitTheContext() {
        for (Effort effort : Effort.values()) {
            for (int context : new int[] {16, 17, 100, 1024, 2048, 9001}) {
                ComparisonOptions options = ComparisonOptions.of(effort, context, List.of(GOOD), List.of(), 2, 3);
                assertThat(options.speed().longest()).isLessThanOrEqualTo(context);
                assertThat(options.asked().tokens()).isLessThanOrEqualTo(context);
                assertThat(options.text().context()).isEqualTo(context);
                assertThat(options.caches().getLast()).isEqualTo(GOOD);
            }
        }
        assertThatThrownBy(() -> ComparisonOptions.of(Effort.QUICK, 15, List.of(GOOD), List.of(), 2, 3))
                .isInstanceOf(InvalidInputException.class)
                .hasMessageContaining("16");
    }

    @Test
    void seedsDoNotShareDocuments() {
        assertThat(ComparisonOptions.firstDocument(2) - ComparisonOptions.firstDocument(1))
                .isGreaterThan(100_000);
        assertThat(ComparisonOptions.firstDocument(-1)).isNotNegative();
        assertThat(Text.generated(100, 1, ComparisonTest::encode).tokens())
                .isEqualTo(Text.generated(100, 1, ComparisonTest::encode).tokens())
                .isNotEqualTo(Text.generated(100, 2, ComparisonTest::encode).tokens());
    }

    @Test
    void generatedTextIsAsLongAsAskedFor() {
        for (int tokens : new int[] {1, 300, 4096}) {
            assertThat(Text.generated(tokens, 5, ComparisonTest::encode).tokens())
                    .hasSizeGreaterThanOrEqualTo(tokens);
        }
    }

    private void refuses(ComparisonOptions options, Text text, String message) {
        assertThatThrownBy(() -> comparison.run(options, text, Progress.none()))
                .isInstanceOf(InvalidInputException.class)
                .hasMessageContaining(message);
    }
}
