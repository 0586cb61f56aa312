package dev.kvasir.cache;

import dev.kvasir.InvalidInputException;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * Reads specs:
 *
 * <pre>
 *   spec   = name [ "(" [ item { "," item } ] ")" ]
 *   item   = [ name "=" ] value            only the first may lack its name
 *   value  = '"' text with \" and \\ '"' | spec | word
 * </pre>
 */
final class CacheSpecParser {
    /** Specs inside specs, no deeper than any method can use. */
    private static final int MAX_DEPTH = 16;

    private final String text;
    private int at;

    CacheSpecParser(String text) {
        this.text = text;
    }

    static boolean isCanonicalSpec(String value) {
        try {
            return value.endsWith(")") && CacheSpec.parse(value).toString().equals(value);
        } catch (InvalidInputException e) {
            return false;
        }
    }

    CacheSpec parse() {
        CacheSpec spec = spec(0);
        if (at < text.length()) {
            throw expected("the end or '('");
        }
        return spec;
    }

    private CacheSpec spec(int depth) {
        if (depth > MAX_DEPTH) {
            throw expected("at most " + MAX_DEPTH + " specs inside each other");
        }
        String method = name("a method's name");
        Map<String, String> options = new LinkedHashMap<>();
        if (take('(')) {
            if (!take(')')) {
                do {
                    item(options, depth);
                } while (take(','));
                if (!take(')')) {
                    throw expected("',' or ')'");
                }
            }
        }
        return new CacheSpec(method, options);
    }

    private void item(Map<String, String> options, int depth) {
        skipSpace();
        int start = at;
        String name = "";
        if (peek() != '"') {
            word();
            String candidate = text.substring(start, at);
            if (take('=')) {
                if (!isName(candidate)) {
                    at = start;
                    throw expected("an option's name");
                }
                name = candidate;
            } else {
                at = start;
            }
        }
        if (name.isEmpty() && !options.isEmpty()) {
            throw expected("name=value");
        }
        if (options.containsKey(name)) {
            at = start;
            throw expected("each option once, found " + name + " again");
        }
        options.put(name, value(depth));
    }

    private String value(int depth) {
        skipSpace();
        if (peek() == '"') {
            return quotedText();
        }
        int start = at;
        word();
        if (start == at) {
            throw expected("a value");
        }
        int end = at;
        skipSpace();
        if (peek() == '(') {
            at = start;
            return spec(depth + 1).toString();
        }
        return text.substring(start, end);
    }

    private String quotedText() {
        int start = at;
        StringBuilder value = new StringBuilder();
        for (at++; at < text.length(); at++) {
            char c = text.charAt(at);
            if (c == '"') {
                at++;
                skipSpace();
                return value.toString();
            }
            if (c == '\\' && at + 1 < text.length()) {
                at++;
                c = text.charAt(at);
            }
            value.append(c);
        }
        at = start;
        throw expected("a closing quote");
    }

    private String name(String what) {
        skipSpace();
        int start = at;
        word();
        String name = text.substring(start, at);
        if (!isName(name)) {
            at = start;
            throw expected(what);
        }
        skipSpace();
        return name;
    }

    private static boolean isName(String word) {
        return word.matches("[A-Za-z][A-Za-z0-9_-]*");
    }

    private void word() {
        while (at < text.length() && " \t\r\n,()=\"".indexOf(text.charAt(at)) < 0) {
            at++;
        }
    }

    private boolean take(char c) {
        skipSpace();
        if (peek() != c) {
            return false;
        }
        at++;
        skipSpace();
        return true;
    }

    /** The next character, 0 at the end. */
    private char peek() {
        return at < text.length() ? text.charAt(at) : 0;
    }

    private void skipSpace() {
        while (at < text.length() && Character.isWhitespace(text.charAt(at))) {
            at++;
        }
    }

    private InvalidInputException expected(String what) {
        String found = at < text.length() ? "'" + text.charAt(at) + "'" : "the end";
        return new InvalidInputException(
                "cache spec \"" + text + "\", column " + (at + 1) + ": expected " + what + ", found " + found);
    }
}
