package dev.kvasir.chat.jinja;

import java.util.List;
import java.util.Map;

/** Values as Python's {@code json.dumps} writes them, which is what models were trained on. */
final class Json {
    private final StringBuilder out = new StringBuilder();
    private final int indent;
    private final boolean ascii;
    private final int line;
    private final Budget budget;

    private Json(int indent, boolean ascii, int line, Budget budget) {
        this.indent = indent;
        this.ascii = ascii;
        this.line = line;
        this.budget = budget;
    }

    /** {@code indent} below 0 writes one line, with a blank after commas and colons. */
    static String of(Object value, int indent, boolean ascii, int line, Budget budget) {
        Json json = new Json(indent, ascii, line, budget);
        json.write(value, 0);
        return json.out.toString();
    }

    private void write(Object value, int depth) {
        budget.down(line);
        switch (value) {
            case String s -> string(s);
            case Boolean b -> out.append(b.booleanValue());
            case Long n -> out.append(n.longValue());
            case Double d -> out.append(Values.decimal(d));
            case None n -> out.append("null");
            case List<?> l -> list(l, depth);
            case Map<?, ?> m -> map(m, depth);
            default -> throw new TemplateException(line, "cannot write " + Values.type(value) + " as JSON");
        }
        budget.up();
    }

    private void list(List<?> list, int depth) {
        out.append('[');
        for (int i = 0; i < list.size(); i++) {
            separate(i, depth + 1);
            write(list.get(i), depth + 1);
        }
        end(list.isEmpty(), depth, ']');
    }

    private void map(Map<?, ?> map, int depth) {
        out.append('{');
        int i = 0;
        for (Map.Entry<?, ?> entry : map.entrySet()) {
            separate(i++, depth + 1);
            string(Values.text(entry.getKey(), line, budget));
            out.append(": ");
            write(entry.getValue(), depth + 1);
        }
        end(map.isEmpty(), depth, '}');
    }

    private void separate(int place, int depth) {
        if (place > 0) {
            out.append(indent < 0 ? ", " : ",");
        }
        newLine(depth);
    }

    private void end(boolean empty, int depth, char bracket) {
        if (!empty) {
            newLine(depth);
        }
        out.append(bracket);
    }

    private void newLine(int depth) {
        if (indent >= 0) {
            budget.make((long) indent * depth, line);
            out.append('\n').repeat(' ', indent * depth);
        }
    }

    private void string(String text) {
        budget.make(text.length(), line);
        out.append('"');
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            switch (c) {
                case '"' -> out.append("\\\"");
                case '\\' -> out.append("\\\\");
                case '\n' -> out.append("\\n");
                case '\r' -> out.append("\\r");
                case '\t' -> out.append("\\t");
                case '\b' -> out.append("\\b");
                case '\f' -> out.append("\\f");
                default -> {
                    if (c < ' ' || (ascii && c > '~')) {
                        out.append("\\u").append(java.util.HexFormat.of().toHexDigits(c));
                    } else {
                        out.append(c);
                    }
                }
            }
        }
        out.append('"');
    }
}
