package dev.kvasir.lab.task;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;

/** Every answer is worked out again from the document's text alone. */
class AnswersTest {
    private static final int DOCUMENTS = 60;

    private interface Check {
        void accept(Sample sample);
    }

    private static void each(Task task, Check check) {
        for (Split split : Split.values()) {
            for (long index = 0; index < DOCUMENTS; index++) {
                int tokens = 64 + (int) (index * 41);
                check.accept(task.sample(split, index, tokens, Documents.WORDS));
            }
        }
    }

    @Test
    void retrievalAsksForTheValueOfEachKey() {
        each(new Retrieval(), AnswersTest::checkRetrieval);
        each(new Retrieval(40, 40), AnswersTest::checkRetrieval);
    }

    private static void checkRetrieval(Sample sample) {
        Map<String, String> values = new HashMap<>();
        List<String> answers = new ArrayList<>();
        boolean asking = false;
        for (String line : Documents.lines(sample)) {
            asking |= line.equals(" ask :");
            Matcher pair = Pattern.compile("( \\w+ \\w+) =( \\w+ \\w+) ;").matcher(line);
            if (pair.matches() && asking) {
                answers.add(values.remove(pair.group(1)));
            } else if (pair.matches()) {
                assertThat(values.put(pair.group(1), pair.group(2))).isNull();
            }
        }
        assertThat(Documents.answers(sample)).isEqualTo(answers).isNotEmpty();
    }

    @Test
    void retrievalHasThePairsItWasAskedFor() {
        assertThat(pairs(new Retrieval(), 64)).isEqualTo(2);
        assertThat(pairs(new Retrieval(), 480)).isEqualTo(20);
        assertThat(pairs(new Retrieval(), 768)).isEqualTo(32);
        assertThat(pairs(new Retrieval(), 8192)).isEqualTo(32);
        assertThat(pairs(new Retrieval(64, 64), 1024)).isEqualTo(64);
        assertThat(pairs(new Retrieval(64, 64), 128)).isBetween(8L, 10L);
        Sample all = new Retrieval(10, 10).sample(Split.TRAIN, 0, 256, Documents.WORDS);
        assertThat(all.answers()).hasSize(10);
    }

    private static long pairs(Retrieval task, int tokens) {
        Sample sample = task.sample(Split.TRAIN, 3, tokens, Documents.WORDS);
        return Documents.lines(sample).stream()
                .takeWhile(line -> !line.equals(" ask :"))
                .filter(line -> line.contains(" = "))
                .count();
    }

    @Test
    void retrievalSpreadsPairsOverTheWholeContext() {
        Sample sample = new Retrieval().sample(Split.TEST, 0, 4096, Documents.WORDS);
        int[] quarters = new int[4];
        for (int at = sample.text().indexOf(" = "); at < sample.text().indexOf(" ask :"); ) {
            quarters[4 * at / sample.text().length()]++;
            at = sample.text().indexOf(" = ", at + 1);
        }
        assertThat(quarters).doesNotContain(0);
    }

    @Test
    void twoHopTracesThroughBothVariables() {
        each(new TwoHop(), AnswersTest::checkTwoHop);
        each(new TwoHop(40, 40), AnswersTest::checkTwoHop);
    }

    private static void checkTwoHop(Sample sample) {
        Map<String, String> sets = new HashMap<>();
        List<String> answers = new ArrayList<>();
        for (String line : Documents.lines(sample)) {
            Matcher set = Pattern.compile(" set (\\w+) = ([\\w ]+) ;").matcher(line);
            if (set.matches()) {
                assertThat(sets.put(set.group(1), set.group(2))).isNull();
            }
        }
        for (String line : Documents.after(" ask :", sample)) {
            String root = sets.getOrDefault(line.split(" ", -1)[2], "none");
            answers.add(" " + root + " : " + sets.get(root));
        }
        assertThat(Documents.answers(sample)).isEqualTo(answers).isNotEmpty();
    }

    @Test
    void arithmeticMarksEveryResult() {
        each(new Arithmetic(), sample -> {
            List<String> answers = new ArrayList<>();
            for (String line : Documents.lines(sample)) {
                if (line.startsWith(" start ")) {
                    answers.addAll(work(line));
                }
            }
            assertThat(Documents.answers(sample)).isEqualTo(answers).isNotEmpty();
        });
    }

    /** The results of a problem, from its statement alone; its line must be that statement worked out. */
    private static List<String> work(String line) {
        String statement = line.substring(0, line.indexOf(" work :"));
        String[] words = statement.strip().split(" ", -1);
        int value = Integer.parseInt(words[1]);
        List<String> results = new ArrayList<>();
        StringBuilder expected = new StringBuilder(statement).append(" work :");
        for (int i = 3; i < words.length; i += 3) {
            int operand = Integer.parseInt(words[i + 1]);
            boolean add = words[i].equals("add");
            int result = value + (add ? operand : -operand);
            assertThat(operand).isBetween(1, 9);
            assertThat(result).isBetween(0, 99);
            expected.append(" " + value + (add ? " + " : " - ") + operand + " = " + result + " ;");
            results.add(" " + result);
            value = result;
        }
        assertThat(results).hasSizeBetween(3, 8);
        results.add(" " + value);
        assertThat(line).isEqualTo(expected + " result " + value + " ;");
        return results;
    }

    @Test
    void manyShotLabelsFollowOneRule() {
        each(new ManyShot(), sample -> {
            Map<String, String> labels = new HashMap<>();
            Map<String, Integer> shown = new HashMap<>();
            List<String> answers = new ArrayList<>();
            for (String line : Documents.after(" label :", sample)) {
                String[] words = line.strip().split(" ", -1);
                String category = category(words[0]);
                assertThat(labels.computeIfAbsent(category, c -> words[2])).isEqualTo(words[2]);
                if (shown.merge(category, 1, Integer::sum) > 2) {
                    answers.add(" " + words[2]);
                }
            }
            assertThat(new HashSet<>(labels.values())).hasSize(labels.size()).hasSizeBetween(2, 5);
            assertThat(Documents.answers(sample)).isEqualTo(answers);
        });
    }

    private static String category(String word) {
        Map<String, List<String>> categories = Map.ofEntries(
                Map.entry("animals", Words.ANIMALS),
                Map.entry("tools", Words.TOOLS),
                Map.entry("foods", Words.FOODS),
                Map.entry("goods", Words.GOODS),
                Map.entry("clothes", Words.CLOTHES),
                Map.entry("plants", Words.PLANTS),
                Map.entry("weather", Words.WEATHER),
                Map.entry("land", Words.LAND),
                Map.entry("colours", Words.COLOURS),
                Map.entry("jobs", Words.JOBS),
                Map.entry("places", Words.PLACES),
                Map.entry("names", Words.FIRST_NAMES));
        List<String> found = categories.entrySet().stream()
                .filter(entry -> entry.getValue().contains(word))
                .map(Map.Entry::getKey)
                .toList();
        assertThat(found).as(word).hasSize(1);
        return found.getFirst();
    }

    @Test
    void factsAreToldBeforeTheyAreAsked() {
        Set<String> kinds = new HashSet<>();
        each(new Facts(), sample -> checkFacts(sample, kinds));
        each(new Facts(16, 48), sample -> checkFacts(sample, kinds));
        assertThat(kinds).hasSize(ASKED.size());
    }

    /** From a question's pattern to the ways its fact may be told, {@code %1} and {@code %2} being its groups. */
    private static final Map<String, String> ASKED = Map.of(
            "(?:Where does (\\w+) live|Where is the house of (\\w+))",
                    "(?:lives in|has a house in|is at home in) (\\w+)",
            "(?:What does (\\w+) work as|What is the work of (\\w+))", "(?:works as|is|is known as) an? (\\w+)",
            "(?:What does (\\w+) keep|What is kept by (\\w+))", "(?:keeps|has|still has) an? (\\w+ (?!in )\\w+)",
            "(?:What food does (\\w+) like|What does (\\w+) like)", "(?:likes|is happy with|asks for) (\\w+)",
            "Who did (\\w+) (?:meet|see) in (\\w+)", "(?:met|saw) (\\w+) (?:in|at the market in) %2",
            "Where did (\\w+) (?:meet|see) (\\w+)", "(?:met|saw) %2 (?:in|at the market in) (\\w+)");

    private static void checkFacts(Sample sample, Set<String> kinds) {
        String story = sample.text().substring(0, sample.text().indexOf(" question :\n"));
        List<String> answers = new ArrayList<>();
        for (String line : Documents.after(" question :", sample)) {
            ASKED.forEach((asked, told) -> {
                Matcher question = Pattern.compile(" " + asked + " \\? .*").matcher(line);
                if (question.matches()) {
                    kinds.add(asked);
                    answers.add(" " + answer(story, question, told));
                }
            });
        }
        assertThat(Documents.answers(sample)).isEqualTo(answers).isNotEmpty();
    }

    /** The one value that the story gives for what is asked, over all lines with the person as their subject. */
    private static String answer(String story, Matcher question, String told) {
        boolean first = question.group(1) != null;
        String person = first ? question.group(1) : question.group(2);
        String phrase = first && question.group(2) != null ? told.replace("%2", question.group(2)) : told;
        Pattern pattern =
                Pattern.compile("(?:^ " + person + "(?: [A-Z]\\w+)?| and| \\. S?[Hh]e) " + phrase + "(?= and | \\.)");
        Set<String> values = new HashSet<>();
        story.lines().filter(line -> line.startsWith(" " + person + " ")).forEach(line -> {
            for (Matcher fact = pattern.matcher(line); fact.find(); ) {
                values.add(fact.group(1));
            }
        });
        assertThat(values).as("%s in %s", question.group(), story).hasSize(1);
        return values.iterator().next();
    }
}
