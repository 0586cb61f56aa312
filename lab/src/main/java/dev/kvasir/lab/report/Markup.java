package dev.kvasir.lab.report;

import java.util.Locale;

/** Well-formed markup, HTML and SVG alike, with every text and attribute escaped. */
final class Markup {
    private final StringBuilder out = new StringBuilder();

    /** Text safe between tags and in double-quoted attributes; characters XML forbids become U+FFFD. */
    static String escape(String text) {
        StringBuilder escaped = new StringBuilder(text.length());
        text.codePoints().forEach(c -> {
            switch (c) {
                case '&' -> escaped.append("&amp;");
                case '<' -> escaped.append("&lt;");
                case '>' -> escaped.append("&gt;");
                case '"' -> escaped.append("&quot;");
                case '\'' -> escaped.append("&#39;");
                default -> escaped.appendCodePoint(isAllowed(c) ? c : 0xFFFD);
            }
        });
        return escaped.toString();
    }

    private static boolean isAllowed(int c) {
        return c == '\t'
                || c == '\n'
                || c == '\r'
                || (c >= 0x20 && c < 0xD800)
                || (c >= 0xE000 && c < 0xFFFE)
                || c > 0xFFFF;
    }

    /** Opens an element; {@code attributes} are names and values in turn. */
    Markup open(String name, Object... attributes) {
        tag(name, attributes);
        out.append('>');
        return this;
    }

    /** Closes an element. */
    Markup close(String name) {
        out.append("</").append(name).append('>');
        return this;
    }

    /** An element without content. */
    Markup empty(String name, Object... attributes) {
        tag(name, attributes);
        out.append("/>");
        return this;
    }

    /** An element whose content is {@code text}. */
    Markup element(String name, String text, Object... attributes) {
        return open(name, attributes).text(text).close(name);
    }

    /** Escaped text. */
    Markup text(String text) {
        out.append(escape(text));
        return this;
    }

    /** Markup of our own, as it is. */
    Markup raw(String markup) {
        out.append(markup);
        return this;
    }

    private void tag(String name, Object... attributes) {
        out.append('<').append(name);
        for (int i = 0; i < attributes.length; i += 2) {
            Object value = attributes[i + 1];
            String text =
                    value instanceof Double number ? String.format(Locale.ROOT, "%.1f", number) : String.valueOf(value);
            out.append(' ')
                    .append(attributes[i])
                    .append("=\"")
                    .append(escape(text))
                    .append('"');
        }
    }

    @Override
    public String toString() {
        return out.toString();
    }
}
