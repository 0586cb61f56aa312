package dev.kvasir.train.data;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kvasir.lab.task.Split;
import dev.kvasir.tokenizer.Tokenizer;
import dev.kvasir.train.TestTexts;
import dev.kvasir.train.recipe.Recipe;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class RowsTest {
    @TempDir
    static Path folder;

    private static Tokenizer tokenizer;

    @BeforeAll
    static void open() {
        tokenizer = Tokenizer.open(TestTexts.tokenizer(folder.resolve("t")), TestTexts.VOCABULARY);
    }

    @AfterAll
    static void close() {
        tokenizer.close();
    }

    private static RowSource source(String name) {
        Recipe base = TestTexts.recipe(4);
        Recipe recipe = new Recipe(
                "r",
                1,
                TestTexts.VOCABULARY,
                64,
                base.shape(),
                base.optimizer(),
                Map.of(name, new Recipe.SourceWeights(2, 0.5f)),
                List.of(new Recipe.Stage("s", 1, 64, 1, Map.of(name, 1.0))),
                base.evaluation());
        return Objects.requireNonNull(
                Sources.of(recipe, tokenizer, TestTexts.VOCABULARY - 3, TestTexts.VOCABULARY - 2, Optional.empty())
                        .get(name));
    }

    @ParameterizedTest
    @ValueSource(strings = {"retrieval", "two-hop", "arithmetic", "labelling", "facts"})
    void answersOfARowDecodeToTextThatTheDocumentTellsElsewhereOrFollowsFromIt(String name) {
        RowSource source = source(name);
        for (Split split : Split.values()) {
            Row row = source.row(split, 3, 512);
            assertThat(row.ids()).hasSize(513);
            assertThat(row.answers()).isNotEmpty();
            for (Row.TokenSpan answer : row.answers()) {
                for (int i = answer.from(); i < answer.to(); i++) {
                    assertThat(row.weights()[i]).isEqualTo(2);
                }
                String text = tokenizer.decode(Arrays.copyOfRange(row.ids(), answer.from(), answer.to()));
                assertThat(text).startsWith(" ").doesNotContain(";", "\n");
            }
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"copy", "retrieval", "prose"})
    void rowsAreAFunctionOfTheirNumber(String name) {
        Row once = source(name).row(Split.TRAIN, 5, 128);
        Row again = source(name).row(Split.TRAIN, 5, 128);
        Row other = source(name).row(Split.TRAIN, 6, 128);
        Row unseen = source(name).row(Split.TEST, 5, 128);

        assertThat(once.ids()).isEqualTo(again.ids()).isNotEqualTo(other.ids()).isNotEqualTo(unseen.ids());
    }

    @Test
    void copiesCountOnlyWhatRepeats() {
        Row row = new CopySource(100).row(Split.TRAIN, 1, 64);
        for (int i = 1; i <= 64; i++) {
            int at = i;
            boolean seenBefore = IntStream.range(0, i).anyMatch(j -> row.ids()[j] == row.ids()[at]);
            if (row.weights()[i] > 0) {
                assertThat(seenBefore).isTrue();
            }
        }
        assertThat(row.weights()[1]).isZero();
        assertThat(row.weights()[64]).isEqualTo(1);
    }

    @Test
    void batchKeepsTargetsBesideTheirPlaceAndWeightsSumToOne() {
        Row a = new Row(new int[] {1, 2, 3}, new float[] {0, 0, 3}, List.of());
        Row b = new Row(new int[] {4, 5, 6}, new float[] {0, 1, 0}, List.of());
        Batch batch = Batch.of(List.of(a, b));

        assertThat(batch.inputs()).containsExactly(1, 2, 4, 5);
        assertThat(batch.targets()).containsExactly(3, 5);
        assertThat(batch.indices()).containsExactly(1, 2);
        assertThat(batch.weights()).containsExactly(0.75f, 0.25f);
    }

    @Test
    void booksAreCutInNineTenthsAndTheLast() throws Exception {
        Path books = Files.createDirectories(folder.resolve("books"));
        StringBuilder text = new StringBuilder();
        for (int i = 0; i < 1000; i++) {
            text.append("Line ").append(i).append(" of the book\nwent on.\n\n");
        }
        Files.writeString(books.resolve("one.txt"), text);

        String train = BookSource.texts(books, Split.TRAIN).getFirst();
        String test = BookSource.texts(books, Split.TEST).getFirst();
        assertThat(train).startsWith("Line 0 of the book went on.\n").endsWith("went on.\n");
        assertThat(test).startsWith("Line ");
        assertThat((double) train.length() / (train.length() + test.length())).isBetween(0.89, 0.91);

        Row row = new BookSource(books, tokenizer).row(Split.TEST, 0, 64);
        assertThat(test).contains(tokenizer.decode(row.ids()).strip());
    }
}
