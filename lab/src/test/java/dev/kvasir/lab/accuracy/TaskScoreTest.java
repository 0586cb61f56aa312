package dev.kvasir.lab.accuracy;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kvasir.InvalidInputException;
import dev.kvasir.cache.CacheSpec;
import dev.kvasir.lab.step.FakeModel;
import dev.kvasir.lab.step.Progress;
import dev.kvasir.lab.task.Sample;
import dev.kvasir.lab.task.Span;
import dev.kvasir.lab.task.Split;
import dev.kvasir.lab.task.Task;
import dev.kvasir.lab.task.TokenCounter;
import dev.kvasir.tokenizer.Tokenizer;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class TaskScoreTest {
    private static final String TEXT = " a b c ask d e ask f g end";
    private static final CacheSpec GOOD = new CacheSpec("good", Map.of());
    private static final CacheSpec FORGETS = new CacheSpec("forgets", Map.of());

    /** Answers " d e" and " f g". */
    private record TwoQuestions() implements Task {
        @Override
        public String name() {
            return "two";
        }

        @Override
        public Sample sample(Split split, long index, int tokens, TokenCounter counter) {
            return new Sample(TEXT, List.of(span(" d e"), span(" f g")));
        }
    }

    private static Span span(String part) {
        return new Span(TEXT.indexOf(part), TEXT.indexOf(part) + part.length());
    }

    /** Knows the text; the forgetful cache gets one token wrong, the second of the first answer. */
    private static FakeModel model() {
        int[] ids = Words.encode(TEXT).ids();
        return new FakeModel(64, 32, (method, fed) -> {
            float[] logits = new float[64];
            boolean wrong = method.equals("forgets") && fed.size() == 5;
            if (fed.size() < ids.length) {
                logits[wrong ? (ids[fed.size()] + 1) % 64 : ids[fed.size()]] = 1;
            }
            return logits;
        });
    }

    @Test
    void anAnswerIsRightWhenEachOfItsTokensIs() {
        List<TaskResult> results = score(model(), 3, 8, 2);
        assertThat(results.getFirst().answers().successes()).isEqualTo(6);
        assertThat(results.getFirst().answers().trials()).isEqualTo(6);
        assertThat(results.getLast().answers().successes()).isEqualTo(3);
        assertThat(results.getLast().cache()).isEqualTo(FORGETS.toString());
    }

    @Test
    void prefillsUpToTheProbeAndReadsTheRestSingly() {
        FakeModel model = model();
        score(model, 1, 8, 2);
        assertThat(model.steps.stream().filter(step -> step.startsWith("good")))
                .containsExactly("good 0+2", "good 2+1", "good 3+1", "good 4+1", "good 5+1", "good 6+1", "good 7+1");
        assertThat(model.closed).isEqualTo(model.opened);
    }

    @Test
    void aProbeLongerThanThePromptReadsEverythingSingly() {
        FakeModel model = model();
        List<TaskResult> results = score(model, 1, 8, 30);
        assertThat(model.steps).contains("good 0+1").doesNotContain("good 0+2");
        assertThat(results.getFirst().answers().successes()).isEqualTo(2);
    }

    @Test
    void asksTheLastAnswersAlone() {
        List<TaskResult> results = score(model(), 1, 1, 1);
        assertThat(results.getLast().answers().trials()).isEqualTo(1);
        assertThat(results.getLast().answers().successes()).isEqualTo(1);
    }

    @Test
    void alignsAnAnswerWithEveryTokenItTouches() {
        // Tokens "ab", "cd", "ef"; the answer "bc" touches the first two, but a first token cannot be asked.
        Tokenizer.Encoding encoding =
                new Tokenizer.Encoding(new int[] {1, 2, 3, 4}, new int[] {0, 1, 3, 5}, new int[] {1, 3, 5, 7});
        Sample sample = new Sample("x ab cd", List.of(new Span(1, 4)));
        AskedSample asked = AskedSample.of(sample, encoding, 8, 1);
        assertThat(asked.answers()).containsExactly(new TokenRange(1, 3));
        assertThat(asked.ids()).containsExactly(1, 2, 3);
        assertThat(asked.prefill()).isZero();
    }

    @Test
    void refusesATaskThatAsksNothing() {
        Task silent = new Task() {
            @Override
            public String name() {
                return "silent";
            }

            @Override
            public Sample sample(Split split, long index, int tokens, TokenCounter counter) {
                return new Sample(TEXT, List.of());
            }
        };
        TaskScore score = new TaskScore(model(), Words::encode, new TaskOptions(1, 16, 8, 2, Split.TEST, 0));
        assertThatThrownBy(() -> score.run(silent, List.of(GOOD), Progress.none()))
                .isInstanceOf(InvalidInputException.class)
                .hasMessageContaining("silent");
    }

    @Test
    void refusesDocumentsLongerThanTheContext() {
        TaskOptions options = new TaskOptions(1, 33, 8, 2, Split.TEST, 0);
        assertThatThrownBy(() -> new TaskScore(model(), Words::encode, options))
                .isInstanceOf(InvalidInputException.class)
                .hasMessageContaining("32");
    }

    private static List<TaskResult> score(FakeModel model, int samples, int answers, int probe) {
        TaskOptions options = new TaskOptions(samples, 16, answers, probe, Split.TEST, 0);
        return new TaskScore(model, Words::encode, options)
                .run(new TwoQuestions(), List.of(GOOD, FORGETS), Progress.none());
    }
}
