package dev.kvasir.lab.task;

import java.util.List;
import java.util.StringTokenizer;
import java.util.stream.Stream;

/** What the tests of all tasks share: counters, the tasks and a document as lines. */
final class Documents {
    static final TokenCounter WORDS = text -> new StringTokenizer(text).countTokens();
    /** Rounds down, so that a sum over lines is too small. */
    static final TokenCounter THIRDS = text -> text.length() / 3;
    /** Words, and one more for each text: a sum over lines is too large. */
    static final TokenCounter WITH_START = text -> 1 + new StringTokenizer(text).countTokens();

    private Documents() {}

    static List<Task> everyTask() {
        return Stream.concat(Tasks.all().stream(), Stream.of(new Prose())).toList();
    }

    static List<String> lines(Sample sample) {
        return sample.text().lines().toList();
    }

    static List<String> answers(Sample sample) {
        return sample.answers().stream().map(sample::answer).toList();
    }

    /** The lines after {@code mark}. */
    static List<String> after(String mark, Sample sample) {
        List<String> lines = lines(sample);
        return lines.subList(lines.indexOf(mark) + 1, lines.size());
    }
}
