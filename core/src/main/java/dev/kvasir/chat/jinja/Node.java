package dev.kvasir.chat.jinja;

import java.util.List;
import java.util.Map;
import java.util.Optional;

/** A parsed template: what is evaluated, and what is executed. Every node knows its line, from 1. */
sealed interface Node {
    int line();

    /** What has a value. */
    sealed interface Expr extends Node {}

    /** A literal. */
    record Constant(int line, Object value) implements Expr {}

    /** A variable. */
    record Name(int line, String name) implements Expr {}

    /** {@code [a, b]} or {@code (a, b)}. */
    record ListOf(int line, List<Expr> items) implements Expr {}

    /** {@code {a: b}}. */
    record MapOf(int line, List<Expr> keys, List<Expr> values) implements Expr {}

    /** {@code of.name}. */
    record Attribute(int line, Expr of, String name) implements Expr {}

    /** {@code of[index]}. */
    record Item(int line, Expr of, Expr index) implements Expr {}

    /** {@code of[from:to:step]}; parts not written are none. */
    record Slice(int line, Expr of, Expr from, Expr to, Expr step) implements Expr {}

    /** What is given to a function, filter or test. */
    record Arguments(List<Expr> places, Map<String, Expr> names) {
        static final Arguments NONE = new Arguments(List.of(), Map.of());
    }

    /** {@code of(arguments)}. */
    record Call(int line, Expr of, Arguments arguments) implements Expr {}

    /** {@code of|name(arguments)}. */
    record Filter(int line, Expr of, String name, Arguments arguments) implements Expr {}

    /** {@code of is name(arguments)}. */
    record Test(int line, Expr of, String name, Arguments arguments) implements Expr {}

    /** {@code not}, {@code -} or {@code +}. */
    record Unary(int line, String operator, Expr of) implements Expr {}

    /** Any operator between two. */
    record Binary(int line, String operator, Expr left, Expr right) implements Expr {}

    /** {@code then if condition else otherwise}. */
    record Choice(int line, Expr condition, Expr then, Expr otherwise) implements Expr {}

    /** What is done. */
    sealed interface Statement extends Node {}

    /** Text as it stands. */
    record Text(int line, String text) implements Statement {}

    /** {@code {{ value }}}. */
    record Print(int line, Expr value) implements Statement {}

    /** {@code if} and {@code elif}, each with what it guards. */
    record If(int line, Expr condition, List<Statement> then, List<Statement> otherwise) implements Statement {}

    /** {@code for targets in items if filter}. */
    record For(
            int line,
            List<String> targets,
            Expr items,
            Optional<Expr> filter,
            List<Statement> body,
            List<Statement> otherwise)
            implements Statement {}

    /** {@code set targets = value}. */
    record Assign(int line, List<String> targets, Expr value) implements Statement {}

    /** {@code set namespace.attribute = value}. */
    record AssignAttribute(int line, String namespace, String attribute, Expr value) implements Statement {}

    /** {@code set target}, body, {@code endset}. */
    record AssignBlock(int line, String target, List<Statement> body) implements Statement {}

    /** {@code macro name(parameters)}; a parameter without a default is undefined. */
    record Macro(int line, String name, List<String> parameters, Map<String, Expr> defaults, List<Statement> body)
            implements Statement {}

    /** {@code filter name}, body, {@code endfilter}. */
    record FilterBlock(int line, String name, Arguments arguments, List<Statement> body) implements Statement {}

    /** A body of its own: {@code generation}. */
    record Group(int line, List<Statement> body) implements Statement {}

    /** {@code break} or {@code continue}. */
    record Leave(int line, boolean loop) implements Statement {}
}
