package dev.kvasir.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kvasir.InvalidInputException;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class TextSamplesTest {
    @Test
    void samplesAreStretchesOfTheTextThatDoNotOverlap() {
        SplittableRandom random = new SplittableRandom(4);
        for (int round = 0; round < 200; round++) {
            int samples = random.nextInt(1, 9);
            int length = random.nextInt(2, 30);
            int[] text =
                    IntStream.range(0, samples * length + random.nextInt(60)).toArray();
            List<int[]> drawn = new TextSamples(samples, length, round).draw(text);

            assertThat(drawn).hasSize(samples);
            int end = 0;
            for (int[] sample : drawn) {
                assertThat(sample[0]).isGreaterThanOrEqualTo(end);
                assertThat(sample)
                        .containsExactly(
                                IntStream.range(sample[0], sample[0] + length).toArray());
                end = sample[0] + length;
            }
        }
    }

    @Test
    void seedChoosesThePlaces() {
        int[] text = IntStream.range(0, 1000).toArray();
        Set<Integer> places = new HashSet<>();
        for (long seed = 0; seed < 20; seed++) {
            int[] first = new TextSamples(1, 10, seed).draw(text).getFirst();
            assertThat(new TextSamples(1, 10, seed).draw(text).getFirst()).containsExactly(first);
            places.add(first[0]);
        }
        assertThat(places).hasSizeGreaterThan(15);
    }

    @Test
    void textTooShortSaysWhatIsNeeded() {
        assertThatThrownBy(() -> new TextSamples(3, 10, 0).draw(new int[29]))
                .isInstanceOf(InvalidInputException.class)
                .hasMessageContainingAll("29 tokens", "3 samples of 10", "need 30");
        assertThatThrownBy(() -> new TextSamples(0, 10, 0)).isInstanceOf(InvalidInputException.class);
        assertThatThrownBy(() -> new TextSamples(1, 1, 0)).isInstanceOf(InvalidInputException.class);
    }
}
