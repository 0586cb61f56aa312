package dev.kvasir.engine;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

class StopMatcherTest {
    private static String random(Random random, int length) {
        StringBuilder text = new StringBuilder();
        for (int i = 0; i < length; i++) {
            text.append((char) ('a' + random.nextInt(3)));
        }
        return text.toString();
    }

    @Test
    void cutsRandomTextWhereTheFirstStopTextBegins() {
        Random random = new Random(1);
        int found = 0;
        for (int round = 0; round < 20_000; round++) {
            List<String> stops = Stream.generate(() -> random(random, 1 + random.nextInt(6)))
                    .limit(random.nextInt(4))
                    .toList();
            String text = random(random, random.nextInt(30));
            // The one that completes first decides, for text before it went out already.
            int end = stops.stream()
                    .filter(text::contains)
                    .mapToInt(s -> text.indexOf(s) + s.length())
                    .min()
                    .orElse(-1);
            StopMatcher matcher = new StopMatcher(stops);
            StringBuilder out = new StringBuilder();
            for (int at = 0; at < text.length(); ) {
                int next = Math.min(text.length(), at + 1 + random.nextInt(4));
                out.append(matcher.append(text.substring(at, next)));
                at = next;
                assertThat(stops).noneMatch(s -> out.indexOf(s) >= 0);
            }
            out.append(matcher.finish());
            assertThat(matcher.stopped()).isEqualTo(end >= 0);
            if (end < 0) {
                assertThat(out).hasToString(text);
            } else {
                found++;
                String cut = text.substring(0, end);
                int start = stops.stream()
                        .filter(cut::endsWith)
                        .mapToInt(s -> end - s.length())
                        .min()
                        .orElseThrow();
                assertThat(out).hasToString(text.substring(0, start));
            }
        }
        assertThat(found).isGreaterThan(5000);
    }

    @Test
    void holdsBackNoMoreThanMayBeginAStopText() {
        StopMatcher matcher = new StopMatcher(List.of("END", "\n\n"));
        assertThat(matcher.append("to the E")).isEqualTo("to the ");
        assertThat(matcher.append("N")).isEmpty();
        assertThat(matcher.append("T\n")).isEqualTo("ENT");
        assertThat(matcher.append("x")).isEqualTo("\nx");
        assertThat(matcher.append("yEND and more")).isEqualTo("y");
        assertThat(matcher.append("more")).isEmpty();
        assertThat(matcher.finish()).isEmpty();
        assertThat(matcher.stopped()).isTrue();
    }

    @Test
    void findsTheSameInOnePieceAsInMany() {
        StopMatcher matcher = new StopMatcher(List.of("lo w", "world"));
        assertThat(matcher.append("hello world")).isEqualTo("hel");
    }
}
