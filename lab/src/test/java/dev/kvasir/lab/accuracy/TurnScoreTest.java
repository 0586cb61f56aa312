package dev.kvasir.lab.accuracy;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kvasir.InvalidInputException;
import dev.kvasir.cache.CacheSpec;
import dev.kvasir.lab.metric.Proportion;
import dev.kvasir.lab.step.FakeModel;
import dev.kvasir.lab.step.Progress;
import dev.kvasir.lab.task.Arithmetic;
import dev.kvasir.lab.task.Retrieval;
import dev.kvasir.lab.task.Sample;
import dev.kvasir.lab.task.Span;
import dev.kvasir.lab.task.Split;
import dev.kvasir.lab.task.Task;
import dev.kvasir.lab.task.TokenCounter;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class TurnScoreTest {
    private static final CacheSpec EXACT = new CacheSpec("exact", Map.of());
    private static final CacheSpec DROPS = new CacheSpec("drops", Map.of());
    private static final String TEXT =
            " fox = tall river ;\n dog = red hat ;\n ask :\n fox = tall river ;\n dog = red hat ;\n";

    private final LookupModel lookup = new LookupModel();

    /** The two lines behind {@code ask :} of {@link #TEXT}. */
    private record TwoPairs() implements Task {
        @Override
        public String name() {
            return "pairs";
        }

        @Override
        public Sample sample(Split split, long index, int tokens, TokenCounter counter) {
            return new Sample(TEXT, List.of(last(" tall river"), last(" red hat")));
        }

        private static Span last(String answer) {
            int start = TEXT.lastIndexOf(answer);
            return new Span(start, start + answer.length());
        }
    }

    private List<TaskResult> score(Task task, Way way, int samples, int turns) {
        TurnOptions options = new TurnOptions(samples, 400, turns, Split.TEST, 7);
        return new TurnScore(lookup.model, lookup::encode, options)
                .run(new Exam(task, way), List.of(EXACT, DROPS), Progress.none());
    }

    @Test
    void aCacheThatDropsByTheFirstQuestionFailsAtTheOthers() {
        List<TaskResult> results = score(new Retrieval(), Way.TURNS, 12, 3);
        assertThat(results.getFirst().turns()).extracting(Proportion::share).containsExactly(1.0, 1.0, 1.0);
        assertThat(results.getLast().turns()).extracting(Proportion::share).containsExactly(1.0, 0.0, 0.0);
        assertThat(results.getLast().answers()).isEqualTo(Proportion.of(12, 36));
        assertThat(results).extracting(TaskResult::task).containsOnly("retrieval:turns");
    }

    @Test
    void itFailsAtEachQuestionThatItDidNotKnowWhenItDropped() {
        List<TaskResult> results = score(new Retrieval(), Way.REQUESTS, 6, 3);
        assertThat(results.getFirst().answers()).isEqualTo(Proportion.of(18, 18));
        assertThat(results.getLast().answers()).isEqualTo(Proportion.of(0, 18));
        assertThat(results).allSatisfy(result -> {
            assertThat(result.task()).isEqualTo("retrieval:requests");
            assertThat(result.turns()).isEmpty();
        });
    }

    @Test
    void thePromptEndsInTheFirstQuestionAndTheNextComesAsOneStep() {
        score(new TwoPairs(), Way.TURNS, 1, 2);
        // 12 tokens of context, then " fox" of the first question; " =", " tall"; " river ;\n dog =", " red".
        assertThat(stepsOf("exact"))
                .containsExactly("exact 0+13", "exact 13+1", "exact 14+1", "exact 15+4", "exact 19+1");
        assertThat(lookup.model.closed).isEqualTo(lookup.model.opened);
    }

    @Test
    void aRequestSeesTheContextAndNoOtherRequest() {
        score(new TwoPairs(), Way.REQUESTS, 1, 2);
        assertThat(stepsOf("exact"))
                .containsExactly("exact 0+12", "exact 12+2", "exact 14+1", "exact 12+2", "exact 14+1");
        assertThat(lookup.model.closed).isEqualTo(lookup.model.opened);
    }

    private List<String> stepsOf(String method) {
        return lookup.model.steps.stream()
                .filter(step -> step.startsWith(method))
                .toList();
    }

    @Test
    void aWrongAnswerDoesNotReachTheNextTurn() {
        List<String> fedLast = new ArrayList<>();
        FakeModel model = new FakeModel(LookupModel.VOCABULARY, 64, (method, fed) -> {
            int[] ids = lookup.encode(TEXT).ids();
            fedLast.add(lookup.text(fed.stream().mapToInt(id -> id).toArray(), 0, fed.size()));
            float[] logits = new float[LookupModel.VOCABULARY];
            // Never says " tall", the first answer's first token.
            logits[ids[fed.size()] == ids[2] ? ids[0] : ids[fed.size()]] = 1;
            return logits;
        });
        List<TaskResult> results = new TurnScore(model, lookup::encode, new TurnOptions(1, 64, 2, Split.TEST, 0))
                .run(new Exam(new TwoPairs(), Way.TURNS), List.of(EXACT), Progress.none());
        assertThat(results.getFirst().turns()).extracting(Proportion::share).containsExactly(0.0, 1.0);
        assertThat(fedLast.getLast()).isEqualTo(TEXT.substring(0, TEXT.lastIndexOf(" hat")));
    }

    @Test
    void refusesQuestionsThatBuildOnEachOther() {
        for (Way way : List.of(Way.TURNS, Way.REQUESTS)) {
            assertThatThrownBy(() -> score(new Arithmetic(), way, 2, 2))
                    .isInstanceOf(InvalidInputException.class)
                    .hasMessageContaining("arithmetic:" + (way == Way.TURNS ? "turns" : "requests"));
        }
        assertThat(lookup.model.steps).isEmpty();
    }

    @Test
    void refusesOptionsOutOfRange() {
        assertThatThrownBy(() -> new TurnOptions(1, 64, 9, Split.TEST, 0))
                .isInstanceOf(InvalidInputException.class)
                .hasMessage("turns: 9, allowed is 1 to 8");
        assertThatThrownBy(
                        () -> new TurnScore(lookup.model, lookup::encode, new TurnOptions(1, 4097, 2, Split.TEST, 0)))
                .isInstanceOf(InvalidInputException.class)
                .hasMessageContaining("4097")
                .hasMessageContaining("4096");
    }
}
