package dev.kvasir.chat.jinja;

import dev.kvasir.chat.jinja.Token.Kind;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/** Reads expressions, by Jinja's precedence: choice, or, and, not, comparison, + -, ~, * / // %, **, sign, filter and test. */
final class Expressions {
    /** Expressions within expressions: as deep as no template is, and far from the end of the stack. */
    private static final int MAX_DEPTH = 100;

    private static final Set<String> COMPARISONS = Set.of("==", "!=", "<", ">", "<=", ">=");
    private static final Set<String> NO_ARGUMENT = Set.of("else", "or", "and", "is", "if", "not", "in");

    private final List<Token> tokens;
    private int at;
    private int depth;

    Expressions(List<Token> tokens) {
        this.tokens = tokens;
    }

    Token peek() {
        return tokens.get(at);
    }

    Token next() {
        Token token = tokens.get(at);
        if (token.kind() != Kind.EOF) {
            at++;
        }
        return token;
    }

    boolean skip(Kind kind, String text) {
        boolean found = peek().is(kind, text);
        if (found) {
            next();
        }
        return found;
    }

    boolean skip(String operator) {
        return skip(Kind.OPERATOR, operator);
    }

    Token expect(Kind kind, String what) {
        if (peek().kind() != kind) {
            throw unexpected(what);
        }
        return next();
    }

    void expect(String operator) {
        if (!skip(operator)) {
            throw unexpected("\"" + operator + "\"");
        }
    }

    TemplateException unexpected(String expected) {
        return new TemplateException(peek().line(), "expected " + expected + ", found " + peek().shown());
    }

    /** An expression, or several with commas between, which are a list. */
    Node.Expr tuple() {
        Node.Expr first = expression();
        if (!peek().is(Kind.OPERATOR, ",")) {
            return first;
        }
        List<Node.Expr> items = new ArrayList<>(List.of(first));
        while (skip(",") && !ends()) {
            items.add(expression());
        }
        return new Node.ListOf(first.line(), items);
    }

    private boolean ends() {
        return peek().kind() == Kind.END || peek().is(Kind.OPERATOR, ")");
    }

    Node.Expr expression() {
        if (++depth > MAX_DEPTH) {
            throw new TemplateException(peek().line(), "expressions nest deeper than the allowed " + MAX_DEPTH);
        }
        Node.Expr then = or();
        while (peek().is(Kind.NAME, "if")) {
            int line = next().line();
            Node.Expr condition = or();
            Node.Expr otherwise =
                    skip(Kind.NAME, "else") ? expression() : new Node.Constant(line, new Undefined("else of if"));
            then = new Node.Choice(line, condition, then, otherwise);
        }
        depth--;
        return then;
    }

    /** As {@link #expression}, but not with {@code if} after it, which belongs to a {@code for}. */
    Node.Expr or() {
        Node.Expr left = and();
        while (peek().is(Kind.NAME, "or")) {
            left = new Node.Binary(next().line(), "or", left, and());
        }
        return left;
    }

    private Node.Expr and() {
        Node.Expr left = not();
        while (peek().is(Kind.NAME, "and")) {
            left = new Node.Binary(next().line(), "and", left, not());
        }
        return left;
    }

    private Node.Expr not() {
        int nots = 0;
        int line = peek().line();
        while (skip(Kind.NAME, "not")) {
            nots++;
        }
        Node.Expr of = comparison();
        if (nots == 0) {
            return of;
        }
        // Two of them still make a truth value of anything.
        Node.Expr once = new Node.Unary(line, "not", of);
        return nots % 2 == 1 ? once : new Node.Unary(line, "not", once);
    }

    private Node.Expr comparison() {
        Node.Expr left = sum();
        Optional<Node.Expr> all = Optional.empty();
        while (true) {
            Token token = peek();
            String operator;
            if (token.kind() == Kind.OPERATOR && COMPARISONS.contains(token.text())) {
                operator = next().text();
            } else if (skip(Kind.NAME, "in")) {
                operator = "in";
            } else if (token.is(Kind.NAME, "not") && tokens.get(at + 1).is(Kind.NAME, "in")) {
                next();
                next();
                operator = "not in";
            } else {
                return all.orElse(left);
            }
            Node.Expr right = sum();
            Node.Expr one = new Node.Binary(token.line(), operator, left, right);
            all = Optional.of(all.map(a -> (Node.Expr) new Node.Binary(token.line(), "and", a, one))
                    .orElse(one));
            left = right;
        }
    }

    private Node.Expr sum() {
        Node.Expr left = joined();
        while (peek().is(Kind.OPERATOR, "+") || peek().is(Kind.OPERATOR, "-")) {
            Token operator = next();
            left = new Node.Binary(operator.line(), operator.text(), left, joined());
        }
        return left;
    }

    private Node.Expr joined() {
        Node.Expr left = product();
        while (peek().is(Kind.OPERATOR, "~")) {
            left = new Node.Binary(next().line(), "~", left, product());
        }
        return left;
    }

    private Node.Expr product() {
        Node.Expr left = power();
        while (peek().kind() == Kind.OPERATOR && Set.of("*", "/", "//", "%").contains(peek().text())) {
            Token operator = next();
            left = new Node.Binary(operator.line(), operator.text(), left, power());
        }
        return left;
    }

    private Node.Expr power() {
        Node.Expr left = signed(true);
        while (peek().is(Kind.OPERATOR, "**")) {
            left = new Node.Binary(next().line(), "**", left, signed(true));
        }
        return left;
    }

    private Node.Expr signed(boolean filtered) {
        Token token = peek();
        Node.Expr of;
        if (skip("-") || skip("+")) {
            if (++depth > MAX_DEPTH) {
                throw new TemplateException(token.line(), "expressions nest deeper than the allowed " + MAX_DEPTH);
            }
            of = new Node.Unary(token.line(), token.text(), signed(false));
            depth--;
        } else {
            of = postfix(primary());
        }
        return filtered ? filters(of) : of;
    }

    private Node.Expr primary() {
        Token token = next();
        int line = token.line();
        return switch (token.kind()) {
            case NAME -> name(token);
            case INTEGER -> new Node.Constant(line, integer(token));
            case FLOAT -> new Node.Constant(line, Double.valueOf(token.text()));
            case STRING -> {
                StringBuilder text = new StringBuilder(token.text());
                while (peek().kind() == Kind.STRING) {
                    text.append(next().text());
                }
                yield new Node.Constant(line, text.toString());
            }
            case OPERATOR -> bracket(token);
            case DATA, PRINT, BLOCK, END, EOF -> {
                at--;
                throw unexpected("a value");
            }
        };
    }

    private static Node.Expr name(Token token) {
        return switch (token.text()) {
            case "true", "True" -> new Node.Constant(token.line(), true);
            case "false", "False" -> new Node.Constant(token.line(), false);
            case "none", "None" -> new Node.Constant(token.line(), None.NONE);
            default -> new Node.Name(token.line(), token.text());
        };
    }

    private static Object integer(Token token) {
        try {
            return Long.valueOf(token.text());
        } catch (NumberFormatException e) {
            throw new TemplateException(token.line(), "the number " + token.shown() + " is too large");
        }
    }

    private Node.Expr bracket(Token open) {
        return switch (open.text()) {
            case "(" -> parenthesis(open);
            case "[" -> list(open);
            case "{" -> map(open);
            default -> {
                at--;
                throw unexpected("a value");
            }
        };
    }

    private Node.Expr parenthesis(Token open) {
        if (skip(")")) {
            return new Node.ListOf(open.line(), List.of());
        }
        Node.Expr inner = tuple();
        expect(")");
        return inner;
    }

    private Node.Expr list(Token open) {
        List<Node.Expr> items = new ArrayList<>();
        while (!skip("]")) {
            items.add(expression());
            if (!peek().is(Kind.OPERATOR, "]")) {
                expect(",");
            }
        }
        return new Node.ListOf(open.line(), items);
    }

    private Node.Expr map(Token open) {
        List<Node.Expr> keys = new ArrayList<>();
        List<Node.Expr> values = new ArrayList<>();
        while (!skip("}")) {
            keys.add(expression());
            expect(":");
            values.add(expression());
            if (!peek().is(Kind.OPERATOR, "}")) {
                expect(",");
            }
        }
        return new Node.MapOf(open.line(), keys, values);
    }

    private Node.Expr postfix(Node.Expr start) {
        Node.Expr of = start;
        while (true) {
            int line = peek().line();
            if (skip(".")) {
                Token name = next();
                if (name.kind() != Kind.NAME && name.kind() != Kind.INTEGER) {
                    at--;
                    throw unexpected("a name");
                }
                of = name.kind() == Kind.NAME
                        ? new Node.Attribute(line, of, name.text())
                        : new Node.Item(line, of, new Node.Constant(line, integer(name)));
            } else if (skip("[")) {
                of = subscript(line, of);
            } else if (peek().is(Kind.OPERATOR, "(")) {
                of = new Node.Call(line, of, arguments());
            } else {
                return of;
            }
        }
    }

    private Node.Expr subscript(int line, Node.Expr of) {
        Node.Expr none = new Node.Constant(line, None.NONE);
        Node.Expr[] parts = {none, none, none};
        int part = 0;
        while (!skip("]")) {
            if (part < 2 && skip(":")) {
                part++;
            } else {
                parts[part] = expression();
                if (!peek().is(Kind.OPERATOR, ":") && !peek().is(Kind.OPERATOR, "]")) {
                    throw unexpected("\"]\"");
                }
            }
        }
        if (part > 0) {
            return new Node.Slice(line, of, parts[0], parts[1], parts[2]);
        }
        if (parts[0].equals(none)) {
            throw new TemplateException(line, "expected an index in the brackets, found none");
        }
        return new Node.Item(line, of, parts[0]);
    }

    private Node.Expr filters(Node.Expr start) {
        Node.Expr of = start;
        while (true) {
            int line = peek().line();
            if (skip("|")) {
                of = new Node.Filter(
                        line, of, expect(Kind.NAME, "a filter's name").text(), optionalArguments());
            } else if (skip(Kind.NAME, "is")) {
                boolean negated = skip(Kind.NAME, "not");
                of = test(line, of);
                of = negated ? new Node.Unary(line, "not", of) : of;
            } else if (peek().is(Kind.OPERATOR, "(")) {
                of = new Node.Call(line, of, arguments());
            } else {
                return of;
            }
        }
    }

    private Node.Expr test(int line, Node.Expr of) {
        String name = expect(Kind.NAME, "a test's name").text();
        Token token = peek();
        boolean one = token.kind() == Kind.STRING
                || token.kind() == Kind.INTEGER
                || token.kind() == Kind.FLOAT
                || token.is(Kind.OPERATOR, "[")
                || token.is(Kind.OPERATOR, "{")
                || (token.kind() == Kind.NAME && !NO_ARGUMENT.contains(token.text()));
        Node.Arguments arguments =
                one ? new Node.Arguments(List.of(postfix(primary())), Map.of()) : optionalArguments();
        return new Node.Test(line, of, name, arguments);
    }

    Node.Arguments optionalArguments() {
        return peek().is(Kind.OPERATOR, "(") ? arguments() : Node.Arguments.NONE;
    }

    private Node.Arguments arguments() {
        expect("(");
        List<Node.Expr> places = new ArrayList<>();
        Map<String, Node.Expr> names = new LinkedHashMap<>();
        while (!skip(")")) {
            if (peek().kind() == Kind.NAME && tokens.get(at + 1).is(Kind.OPERATOR, "=")) {
                String name = next().text();
                next();
                names.put(name, expression());
            } else {
                places.add(expression());
            }
            if (!peek().is(Kind.OPERATOR, ")")) {
                expect(",");
            }
        }
        return new Node.Arguments(places, names);
    }
}
