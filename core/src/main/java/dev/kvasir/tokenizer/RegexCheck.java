package dev.kvasir.tokenizer;

import dev.kvasir.InvalidInputException;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Refuses regular expressions whose matching may try too many ways: the native library ends the whole process after ten million
 * tries at one place.
 *
 * <p>Allowed is what no text of less than millions of characters can bring there. A repetition of more than {@value #FEW}
 * times may not repeat what can match in several ways; of two repetitions in a row, nothing that must match may follow the
 * second; there are no three. References, recursion, named groups, conditions and comments are not allowed at all. The cuts of
 * GPT-2, Llama 3, Qwen, Tekken and their like are far within this.
 */
final class RegexCheck {
    private static final int MAX_LENGTH = 4096;
    private static final int MAX_DEPTH = 16;
    private static final int MAX_REPETITIONS = 2;
    private static final int FEW = 8;
    private static final Pattern OPENING = Pattern.compile("\\((\\?(?:[ims-]*:|=|!|>|<=|<!))?");
    private static final Pattern INTERVAL = Pattern.compile("\\{(\\d{0,4})(,?)(\\d{0,4})\\}");

    private static final int[] ONCE = {1, 1};

    private final String regex;
    private int at;
    private int depth;

    private RegexCheck(String regex) {
        this.regex = regex;
    }

    /**
     * What can happen within a part of an expression.
     *
     * @param repetitions that follow each other
     * @param varies whether the same text may match in several ways, or texts of several lengths
     * @param closed whether something must match after a repetition
     */
    private record Part(int repetitions, boolean varies, boolean closed) {
        static final Part ATOM = new Part(0, false, false);
    }

    /**
     * Checks an expression in Ruby's syntax, as Oniguruma reads it.
     *
     * @throws InvalidInputException saying what is not allowed, and where
     */
    static void check(String regex) {
        if (regex.length() > MAX_LENGTH) {
            throw new InvalidInputException(
                    "has " + regex.length() + " characters, at most " + MAX_LENGTH + " are allowed");
        }
        RegexCheck check = new RegexCheck(regex);
        check.alternatives();
        if (check.at < regex.length()) {
            throw check.refused("a bracket without its partner");
        }
    }

    private Part alternatives() {
        if (++depth > MAX_DEPTH) {
            throw refused("groups deeper than " + MAX_DEPTH);
        }
        Part most = sequence();
        while (take('|')) {
            Part other = sequence();
            most = new Part(Math.max(most.repetitions, other.repetitions), true, most.closed || other.closed);
        }
        depth--;
        return most;
    }

    private Part sequence() {
        Part all = Part.ATOM;
        while (at < regex.length() && regex.charAt(at) != '|' && regex.charAt(at) != ')') {
            Part atom = atom();
            all = followed(all, atom);
        }
        return all;
    }

    /** What is before an atom, with the atom and its quantifier. */
    private Part followed(Part before, Part atom) {
        int[] times = quantifier();
        boolean repeated = times[1] > 1;
        if (repeated && atom.varies) {
            throw refused("a repetition of what can match in several ways");
        }
        int repetitions = atom.repetitions + (times[1] > FEW ? 1 : 0);
        boolean closes = times[0] > 0 && repetitions == 0;
        boolean closed = (before.repetitions > 0 && closes) || atom.closed;
        int together = before.repetitions + repetitions;
        if (together > MAX_REPETITIONS || (together == MAX_REPETITIONS && (closed || before.closed))) {
            throw refused("more than one repetition before what must match");
        }
        return new Part(together, before.varies || atom.varies || times[0] != times[1], before.closed || closed);
    }

    private Part atom() {
        char c = regex.charAt(at);
        switch (c) {
            case '(' -> {
                return group();
            }
            case '[' -> characters();
            case '\\' -> escape();
            case '*', '+', '?' -> throw refused("a repetition of nothing");
            default -> at++;
        }
        return Part.ATOM;
    }

    private Part group() {
        Matcher opening = OPENING.matcher(regex).region(at, regex.length());
        if (!opening.lookingAt()) {
            throw refused("a bracket");
        }
        String kind = opening.group(1) == null ? "" : opening.group(1);
        if (kind.isEmpty() && regex.startsWith("(?", at)) {
            throw refused("a group of a kind other than (?:, (?i:, (?=, (?!, (?<=, (?<! and (?>");
        }
        at = opening.end();
        Part inside = alternatives();
        if (!take(')')) {
            throw refused("a bracket without its partner");
        }
        boolean looks = kind.endsWith("=") || kind.endsWith("!");
        return looks ? new Part(inside.repetitions, inside.varies, true) : inside;
    }

    /** A class of characters, in which others may stand. */
    private void characters() {
        int open = 0;
        do {
            if (at >= regex.length()) {
                throw refused("a class without an end");
            }
            char c = regex.charAt(at);
            if (c == '\\') {
                escape();
                continue;
            }
            at++;
            if (c == '[') {
                open++;
                take('^');
                // A bracket that comes first stands for itself.
                take(']');
            } else if (c == ']') {
                open--;
            }
        } while (open > 0);
    }

    private void escape() {
        at++;
        if (at >= regex.length()) {
            throw refused("a backslash before nothing");
        }
        char c = regex.charAt(at);
        if ((c >= '1' && c <= '9') || "gkKXR".indexOf(c) >= 0) {
            throw refused("a reference or a cluster");
        }
        at++;
        if ((c == 'p' || c == 'P' || c == 'x') && at < regex.length() && regex.charAt(at) == '{') {
            int end = regex.indexOf('}', at);
            if (end < 0) {
                throw refused("a brace without an end");
            }
            at = end + 1;
        }
    }

    /** Least and most times that what stands before may match. */
    private int[] quantifier() {
        int[] times = ONCE;
        if (at >= regex.length() || "*+?{".indexOf(regex.charAt(at)) < 0) {
            return times;
        }
        char c = regex.charAt(at);
        Matcher interval = INTERVAL.matcher(regex).region(at, regex.length());
        if (c == '*' || c == '+' || c == '?') {
            at++;
            times = new int[] {c == '+' ? 1 : 0, c == '?' ? 1 : Integer.MAX_VALUE};
            if (!take('?')) {
                take('+');
            }
        } else if (interval.lookingAt()
                && !interval.group().equals("{,}")
                && !interval.group().equals("{}")) {
            at = interval.end();
            int least = interval.group(1).isEmpty() ? 0 : Integer.parseInt(interval.group(1));
            int most = interval.group(2).isEmpty()
                    ? least
                    : interval.group(3).isEmpty() ? Integer.MAX_VALUE : Integer.parseInt(interval.group(3));
            times = new int[] {Math.min(least, most), Math.max(least, most)};
            take('?');
        } else {
            return times;
        }
        boolean again = at < regex.length()
                && ("*+?".indexOf(regex.charAt(at)) >= 0
                        || INTERVAL.matcher(regex).region(at, regex.length()).lookingAt());
        if (again) {
            throw refused("a repetition of a repetition");
        }
        return times;
    }

    private boolean take(char c) {
        boolean found = at < regex.length() && regex.charAt(at) == c;
        if (found) {
            at++;
        }
        return found;
    }

    private InvalidInputException refused(String what) {
        return new InvalidInputException("has " + what + " at character " + (at + 1) + ", which is not allowed");
    }
}
