package dev.kvasir.lab.task;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kvasir.InvalidInputException;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;

class TasksTest {
    private static final List<Integer> LENGTHS = List.of(64, 65, 81, 100, 128, 200, 333, 512, 1024, 2048, 5000, 8192);
    private static final Map<String, TokenCounter> COUNTERS = Map.of(
            "words", Documents.WORDS, "characters / 3", Documents.THIRDS, "words and a start", Documents.WITH_START);

    @Test
    void givesTheSameDocumentForTheSameArguments() {
        for (Task task : Documents.everyTask()) {
            Task again = Tasks.byName(task.name());
            for (long index : new long[] {0, 1, 99, -1, Long.MAX_VALUE}) {
                assertThat(again.sample(Split.TEST, index, 300, Documents.WORDS))
                        .isEqualTo(task.sample(Split.TEST, index, 300, Documents.WORDS));
            }
        }
    }

    @Test
    void givesDifferentDocumentsForDifferentIndicesAndSplits() {
        for (Task task : Documents.everyTask()) {
            for (int tokens : new int[] {64, 256}) {
                Set<String> texts = new HashSet<>();
                for (long index = 0; index < 500; index++) {
                    texts.add(task.sample(Split.TRAIN, index, tokens, Documents.WORDS)
                            .text());
                    texts.add(task.sample(Split.TEST, index, tokens, Documents.WORDS)
                            .text());
                }
                assertThat(texts).as("%s at %s", task.name(), tokens).hasSize(1000);
            }
        }
    }

    @Test
    void fillsAtLeastNineTenthsOfTheLengthAndNeverMore() {
        for (Task task : Documents.everyTask()) {
            COUNTERS.forEach((name, counter) -> {
                for (int tokens : LENGTHS) {
                    for (long index = 0; index < 12; index++) {
                        Sample sample = task.sample(Split.TRAIN, index, tokens, counter);
                        assertThat(counter.count(sample.text()))
                                .as("%s in %s, index %s", task.name(), name, index)
                                .isLessThanOrEqualTo(tokens)
                                .isGreaterThanOrEqualTo((tokens * 9 + 9) / 10);
                    }
                }
            });
        }
    }

    @Test
    void asksSomethingInEveryDocument() {
        for (Task task : Tasks.all()) {
            for (int tokens : LENGTHS) {
                Sample sample = task.sample(Split.TEST, tokens, tokens, Documents.WORDS);
                assertThat(sample.answers()).as("%s at %s", task.name(), tokens).isNotEmpty();
            }
        }
        assertThat(new Prose().sample(Split.TEST, 0, 512, Documents.WORDS).answers())
                .isEmpty();
    }

    @Test
    void asksNoMoreThanItIsToldTo() {
        for (Task task : List.of(new Retrieval(), new TwoHop(), new Facts())) {
            for (int questions = 1; questions <= 4; questions++) {
                Sample few = task.asking(questions).sample(Split.TEST, 4, 700, Documents.WORDS);
                Sample plain = task.sample(Split.TEST, 4, 700, Documents.WORDS);
                assertThat(Documents.answers(few))
                        .isEqualTo(Documents.answers(plain).subList(0, questions));
            }
        }
        assertThat(new Arithmetic().asking(1)).isInstanceOf(Arithmetic.class);
    }

    @Test
    void manyShotHasTheDocumentsOfItsFirstName() {
        assertThat(new ManyShot().sample(Split.TEST, 0, 64, Documents.WORDS).text())
                .startsWith(" label :\n needle : cag ;\n hunter : nib ;\n");
    }

    @Test
    void aQuestionIsTheLineBeforeItsAnswer() {
        Sample sample = new TwoHop().sample(Split.TEST, 1, 500, Documents.WORDS);
        for (Span answer : sample.answers()) {
            assertThat(sample.text().substring(sample.questionStart(answer), answer.start()))
                    .matches(" trace \\w+ :");
        }
    }

    @Test
    void precedesEveryWordAndAnswerWithOneSpace() {
        for (Task task : Documents.everyTask()) {
            Sample sample = task.sample(Split.TRAIN, 5, 700, Documents.WORDS);
            assertThat(sample.text()).matches("( [^ \n]+( [^ \n]+)*\n?)+").doesNotContain("$", "  ");
            for (String answer : Documents.answers(sample)) {
                assertThat(answer).matches("( [^ \n]+)+");
            }
        }
    }

    @Test
    void needsFewDistinctWords() {
        Set<String> words = new TreeSet<>();
        for (Task task : Documents.everyTask()) {
            for (long index = 0; index < 300; index++) {
                String text =
                        task.sample(Split.TEST, index, 1024, Documents.WORDS).text();
                for (String word : text.strip().split("\\s+", -1)) {
                    if (Character.isLetter(word.charAt(0))) {
                        words.add(word);
                    }
                }
            }
        }
        assertThat(words).hasSizeLessThan(450).hasSizeGreaterThan(350);
    }

    @Test
    void holdsNamesAndThingsOutOfTrain() {
        for (Task task : List.of(new Facts(), new Prose())) {
            Set<String> train = combinations(task, Split.TRAIN);
            Set<String> test = combinations(task, Split.TEST);
            assertThat(train).hasSizeGreaterThan(2000).noneMatch(Split::heldOut);
            long heldOut = test.stream().filter(Split::heldOut).count();
            assertThat((double) heldOut / test.size()).isBetween(0.08, 0.12);
        }
    }

    /** Every full name, and every adjective before a thing, that the documents have. */
    private static Set<String> combinations(Task task, Split split) {
        Set<String> found = new HashSet<>();
        for (long index = 0; index < 300; index++) {
            String[] words =
                    task.sample(split, index, 1024, Documents.WORDS).text().split("\\s", -1);
            for (int i = 1; i < words.length; i++) {
                boolean thing = Words.ADJECTIVES.contains(words[i - 1]) && Words.THINGS.contains(words[i]);
                boolean name = Words.FIRST_NAMES.contains(words[i - 1]) && Words.SURNAMES.contains(words[i]);
                if (thing || name) {
                    found.add(words[i - 1] + " " + words[i]);
                }
            }
        }
        return found;
    }

    @Test
    void namesTheNearestTaskForAnUnknownOne() {
        assertThat(Tasks.byName("two-hop")).isInstanceOf(TwoHop.class);
        assertThat(Tasks.byName("prose")).isInstanceOf(Prose.class);
        assertThat(Tasks.byName("labelling").name()).isEqualTo("many-shot");
        assertThatThrownBy(() -> Tasks.byName("Retreival"))
                .isInstanceOf(InvalidInputException.class)
                .hasMessageContaining("'Retreival'")
                .hasMessageContaining("did you mean 'retrieval'");
    }

    @Test
    void refusesWhatCannotBeServed() {
        for (Task task : Tasks.all()) {
            for (int tokens : new int[] {-1, 0, 4}) {
                assertThatThrownBy(() -> task.sample(Split.TRAIN, 0, tokens, Documents.WORDS))
                        .isInstanceOf(InvalidInputException.class)
                        .hasMessageContaining(task.name());
            }
        }
        assertThatThrownBy(() -> new Retrieval(0, 1)).hasMessageContaining("pairs: 0");
        assertThatThrownBy(() -> new TwoHop(41, 1)).hasMessageContaining("chains: 41");
        assertThatThrownBy(() -> new Facts(1, 0)).hasMessageContaining("questions: 0");
    }
}
