package dev.kvasir.chat.jinja;

import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Cuts a template into tokens, whitespace control done: {@code -} strips, the newline after a block is dropped ({@code
 * trim_blocks}), and so are blanks before a block that starts its line ({@code lstrip_blocks}).
 */
final class Lexer {
    private static final int MAX_LENGTH = 1 << 20;
    private static final Pattern NUMBER = Pattern.compile("\\d[\\d_]*(\\.\\d+)?([eE][+-]?\\d+)?");
    private static final Pattern RAW_END = Pattern.compile("\\{%([-+]?)\\s*endraw\\s*([-+]?)%}");
    private static final Pattern RAW = Pattern.compile("\\{%[-+]?\\s*raw\\s*([-+]?)%}");
    private static final List<String> OPERATORS = List.of(
            "**", "//", "==", "!=", "<=", ">=", "+", "-", "*", "/", "%", "~", "<", ">", "=", "(", ")", "[", "]", "{",
            "}", ",", ":", ".", "|");

    private final String source;
    private final List<Token> tokens = new ArrayList<>();
    private int at;
    private int line = 1;
    /** Where {@link #line} was counted up to. */
    private int counted;
    /** Whether the text now read starts a line. */
    private boolean lineStart = true;
    /** Whether the tag before strips what follows it. */
    private boolean strip;

    private Lexer(String source) {
        this.source = source;
    }

    static List<Token> tokens(String template) {
        if (template.length() > MAX_LENGTH) {
            throw new TemplateException(
                    1, "has " + template.length() + " characters, at most " + MAX_LENGTH + " are allowed");
        }
        String source = template.replace("\r\n", "\n").replace('\r', '\n');
        Lexer lexer = new Lexer(source.endsWith("\n") ? source.substring(0, source.length() - 1) : source);
        lexer.run();
        return lexer.tokens;
    }

    private void run() {
        while (at < source.length()) {
            int tag = nextTag();
            data(tag);
            if (tag == source.length()) {
                break;
            }
            at = tag;
            char kind = source.charAt(tag + 1);
            if (kind == '#') {
                comment();
            } else if (kind == '%'
                    && RAW.matcher(source).region(at, source.length()).lookingAt()) {
                raw();
            } else {
                tag(kind);
            }
        }
        add(Token.Kind.EOF, "");
    }

    private int nextTag() {
        for (int i = at; i + 1 < source.length(); i++) {
            char next = source.charAt(i + 1);
            if (source.charAt(i) == '{' && (next == '{' || next == '%' || next == '#')) {
                return i;
            }
        }
        return source.length();
    }

    /** The text up to a tag, or to the end. */
    private void data(int end) {
        String text = source.substring(at, end);
        if (end < source.length() && end + 2 < source.length() && source.charAt(end + 2) == '-') {
            text = text.stripTrailing();
        } else if (end < source.length()
                && source.charAt(end + 1) != '{'
                && !(end + 2 < source.length() && source.charAt(end + 2) == '+')) {
            int start = text.lastIndexOf('\n') + 1;
            if ((start > 0 || lineStart) && text.substring(start).isBlank()) {
                text = text.substring(0, start);
            }
        }
        text(text);
    }

    private void text(String text) {
        String left = strip ? text.stripLeading() : text;
        strip = false;
        if (!left.isEmpty()) {
            add(Token.Kind.DATA, left);
        }
    }

    /** What follows a tag that ends before {@code end}. */
    private void after(int end, char sign, boolean trims) {
        at = end;
        strip = sign == '-';
        lineStart = false;
        if (!strip && trims && sign != '+' && at < source.length() && source.charAt(at) == '\n') {
            at++;
            lineStart = true;
        }
    }

    private void comment() {
        int end = source.indexOf("#}", at + 2);
        if (end < 0) {
            throw problem("the comment has no end");
        }
        after(end + 2, source.charAt(end - 1), true);
    }

    private void raw() {
        Matcher begin = RAW.matcher(source).region(at, source.length());
        Matcher end = RAW_END.matcher(source);
        if (!begin.lookingAt() || !end.find(begin.end())) {
            throw problem("raw has no endraw");
        }
        String sign = begin.group(1);
        after(begin.end(), sign.isEmpty() ? ' ' : sign.charAt(0), true);
        String text = source.substring(at, Math.max(at, end.start()));
        text(end.group(1).equals("-") ? text.stripTrailing() : text);
        after(end.end(), end.group(2).isEmpty() ? ' ' : end.group(2).charAt(0), true);
    }

    private void tag(char kind) {
        add(kind == '{' ? Token.Kind.PRINT : Token.Kind.BLOCK, source.substring(at, at + 2));
        String close = kind == '{' ? "}}" : "%}";
        at += 2;
        if (at < source.length() && (source.charAt(at) == '-' || source.charAt(at) == '+')) {
            at++;
        }
        int open = 0;
        while (true) {
            while (at < source.length() && Character.isWhitespace(source.charAt(at))) {
                at++;
            }
            if (at >= source.length()) {
                throw problem("the tag has no end");
            }
            char sign = source.charAt(at);
            boolean signed = (sign == '-' || sign == '+') && source.startsWith(close, at + 1);
            if (open == 0 && (signed || source.startsWith(close, at))) {
                add(Token.Kind.END, close);
                after(at + (signed ? 3 : 2), signed ? sign : ' ', kind == '%');
                return;
            }
            open += piece();
        }
    }

    /** One token within a tag; gives 1 for an opening bracket, -1 for a closing one. */
    private int piece() {
        char c = source.charAt(at);
        if (Character.isJavaIdentifierStart(c) && c != '$') {
            int end = at + 1;
            while (end < source.length() && Character.isJavaIdentifierPart(source.charAt(end))) {
                end++;
            }
            add(Token.Kind.NAME, source.substring(at, end));
            at = end;
        } else if (c == '"' || c == '\'') {
            string(c);
        } else if (c >= '0' && c <= '9') {
            Matcher number = NUMBER.matcher(source).region(at, source.length());
            if (!number.lookingAt()
                    || number.group().contains("__")
                    || number.group().endsWith("_")) {
                throw problem("unreadable number");
            }
            boolean integer = number.group(1) == null && number.group(2) == null;
            add(integer ? Token.Kind.INTEGER : Token.Kind.FLOAT, number.group().replace("_", ""));
            at = number.end();
        } else {
            String operator = OPERATORS.stream()
                    .filter(o -> source.startsWith(o, at))
                    .findFirst()
                    .orElseThrow(() -> problem("unexpected character \"" + c + "\""));
            add(Token.Kind.OPERATOR, operator);
            at += operator.length();
            return "([{".contains(operator) ? 1 : ")]}".contains(operator) ? -1 : 0;
        }
        return 0;
    }

    private void string(char quote) {
        StringBuilder text = new StringBuilder();
        int i = at + 1;
        while (i < source.length() && source.charAt(i) != quote) {
            char c = source.charAt(i++);
            if (c != '\\' || i >= source.length()) {
                text.append(c);
                continue;
            }
            char escaped = source.charAt(i++);
            int digits = escaped == 'x' ? 2 : escaped == 'u' ? 4 : escaped == 'U' ? 8 : 0;
            if (digits > 0) {
                text.appendCodePoint(codePoint(i, digits));
                i += digits;
            } else {
                escape(escaped, text);
            }
        }
        if (i >= source.length()) {
            throw problem("the text has no closing " + quote);
        }
        add(Token.Kind.STRING, text.toString());
        at = i + 1;
    }

    private static void escape(char escaped, StringBuilder text) {
        switch (escaped) {
            case 'n' -> text.append('\n');
            case 't' -> text.append('\t');
            case 'r' -> text.append('\r');
            case 'b' -> text.append('\b');
            case 'f' -> text.append('\f');
            case '0' -> text.append('\0');
            case '\n' -> {}
            case '\\', '\'', '"' -> text.append(escaped);
            default -> text.append('\\').append(escaped);
        }
    }

    private int codePoint(int from, int digits) {
        try {
            int codePoint = Integer.parseInt(source, from, Math.min(from + digits, source.length()), 16);
            if (codePoint >= 0 && codePoint <= Character.MAX_CODE_POINT) {
                return codePoint;
            }
        } catch (NumberFormatException e) {
            // Reported below, with the ones that are too large.
        }
        throw problem("the escape must be followed by " + digits + " hexadecimal digits of a character");
    }

    private void add(Token.Kind kind, String text) {
        countLines();
        tokens.add(new Token(kind, text, line));
    }

    private void countLines() {
        for (; counted < Math.min(at, source.length()); counted++) {
            if (source.charAt(counted) == '\n') {
                line++;
            }
        }
    }

    private TemplateException problem(String problem) {
        countLines();
        return new TemplateException(line, problem);
    }
}
