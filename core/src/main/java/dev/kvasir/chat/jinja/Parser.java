package dev.kvasir.chat.jinja;

import dev.kvasir.chat.jinja.Token.Kind;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/** Reads the statements of a template. What reaches outside of it (include, import, extends) does not exist. */
final class Parser {
    private static final int MAX_DEPTH = 100;
    private static final String KNOWN = "if, for, set, macro, filter, generation, break, continue and raw";

    private final Expressions in;
    private int depth;
    private int loops;

    private Parser(List<Token> tokens) {
        this.in = new Expressions(tokens);
    }

    static List<Node.Statement> parse(String template) {
        Parser parser = new Parser(Lexer.tokens(template));
        return parser.body(Set.of());
    }

    /** Statements up to a block of one of these names, whose name is then next; of no name, up to the end. */
    private List<Node.Statement> body(Set<String> ends) {
        int start = in.peek().line();
        if (++depth > MAX_DEPTH) {
            throw new TemplateException(start, "blocks nest deeper than the allowed " + MAX_DEPTH);
        }
        List<Node.Statement> body = new ArrayList<>();
        while (true) {
            Token token = in.next();
            switch (token.kind()) {
                case DATA -> body.add(new Node.Text(token.line(), token.text()));
                case PRINT -> {
                    body.add(new Node.Print(token.line(), in.tuple()));
                    end();
                }
                case BLOCK -> {
                    if (in.peek().kind() == Kind.NAME && ends.contains(in.peek().text())) {
                        depth--;
                        return body;
                    }
                    body.add(statement(in.expect(Kind.NAME, "the name of a block")));
                }
                case END, NAME, STRING, INTEGER, FLOAT, OPERATOR, EOF -> {
                    if (!ends.isEmpty()) {
                        throw new TemplateException(
                                token.line(),
                                "expected "
                                        + String.join(
                                                " or ", ends.stream().sorted().toList()) + " for the block of line "
                                        + start + ", found " + token.shown());
                    }
                    depth--;
                    return body;
                }
            }
        }
    }

    private Node.Statement statement(Token name) {
        int line = name.line();
        return switch (name.text()) {
            case "if" -> ifBlock(line);
            case "for" -> forBlock(line);
            case "set" -> set(line);
            case "macro" -> macro(line);
            case "filter" -> {
                String filter = in.expect(Kind.NAME, "a filter's name").text();
                Node.Arguments arguments = in.optionalArguments();
                end();
                yield new Node.FilterBlock(line, filter, arguments, bodyTo("endfilter"));
            }
            case "generation" -> {
                end();
                yield new Node.Group(line, bodyTo("endgeneration"));
            }
            case "break", "continue" -> {
                if (loops == 0) {
                    throw new TemplateException(line, name.text() + " must be within a for");
                }
                end();
                yield new Node.Leave(line, name.text().equals("break"));
            }
            default -> throw new TemplateException(line, "no block is called " + name.shown() + ": known are " + KNOWN);
        };
    }

    private void end() {
        in.expect(Kind.END, "the end of the tag");
    }

    private List<Node.Statement> bodyTo(String name) {
        List<Node.Statement> body = body(Set.of(name));
        in.next();
        end();
        return body;
    }

    /** Also what follows an {@code elif}, which shares its {@code endif}. */
    private Node.Statement ifBlock(int line) {
        Node.Expr condition = in.expression();
        end();
        List<Node.Statement> then = body(Set.of("elif", "else", "endif"));
        Token next = in.next();
        if (next.text().equals("elif")) {
            depth++;
            List<Node.Statement> otherwise = List.of(ifBlock(next.line()));
            depth--;
            return new Node.If(line, condition, then, otherwise);
        }
        end();
        return new Node.If(line, condition, then, next.text().equals("else") ? bodyTo("endif") : List.of());
    }

    private Node.Statement forBlock(int line) {
        List<String> targets = names();
        if (!in.skip(Kind.NAME, "in")) {
            throw in.unexpected("\"in\"");
        }
        Node.Expr items = in.or();
        Optional<Node.Expr> filter = in.skip(Kind.NAME, "if") ? Optional.of(in.expression()) : Optional.empty();
        end();
        loops++;
        List<Node.Statement> body = body(Set.of("else", "endfor"));
        loops--;
        boolean hasElse = in.next().text().equals("else");
        end();
        return new Node.For(line, targets, items, filter, body, hasElse ? bodyTo("endfor") : List.of());
    }

    private List<String> names() {
        boolean bracket = in.skip("(");
        List<String> names = new ArrayList<>();
        do {
            names.add(in.expect(Kind.NAME, "a name").text());
        } while (in.skip(","));
        if (bracket) {
            in.expect(")");
        }
        return names;
    }

    private Node.Statement set(int line) {
        List<String> targets = names();
        if (targets.size() == 1 && in.skip(".")) {
            String attribute = in.expect(Kind.NAME, "a name").text();
            in.expect("=");
            Node.Expr value = in.tuple();
            end();
            return new Node.AssignAttribute(line, targets.getFirst(), attribute, value);
        }
        if (targets.size() == 1 && in.peek().kind() == Kind.END) {
            end();
            return new Node.AssignBlock(line, targets.getFirst(), bodyTo("endset"));
        }
        in.expect("=");
        Node.Expr value = in.tuple();
        end();
        return new Node.Assign(line, targets, value);
    }

    private Node.Statement macro(int line) {
        String name = in.expect(Kind.NAME, "a name").text();
        in.expect("(");
        List<String> parameters = new ArrayList<>();
        Map<String, Node.Expr> defaults = new LinkedHashMap<>();
        while (!in.skip(")")) {
            String parameter = in.expect(Kind.NAME, "a name").text();
            parameters.add(parameter);
            if (in.skip("=")) {
                defaults.put(parameter, in.expression());
            }
            if (!in.peek().is(Kind.OPERATOR, ")")) {
                in.expect(",");
            }
        }
        end();
        int outer = loops;
        loops = 0;
        List<Node.Statement> body = bodyTo("endmacro");
        loops = outer;
        return new Node.Macro(line, name, parameters, defaults, body);
    }
}
