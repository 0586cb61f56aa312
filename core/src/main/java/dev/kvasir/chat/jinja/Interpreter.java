package dev.kvasir.chat.jinja;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** Executes the statements of a template, once. */
final class Interpreter {
    /** What each turn of a loop has in {@code loop}. */
    private static final int LOOP_FIELDS = 9;

    private final Budget budget;
    private final Evaluator evaluator;

    Interpreter(Budget budget) {
        this.budget = budget;
        this.evaluator = new Evaluator(budget);
    }

    /** How a body ended. */
    private enum Flow {
        ON,
        CONTINUE,
        BREAK
    }

    String run(List<Node.Statement> template, Scope scope) {
        StringBuilder out = new StringBuilder();
        body(template, scope, out);
        return out.toString();
    }

    private Flow body(List<Node.Statement> body, Scope scope, StringBuilder out) {
        for (Node.Statement statement : body) {
            Flow flow = execute(statement, scope, out);
            if (flow != Flow.ON) {
                return flow;
            }
        }
        return Flow.ON;
    }

    private Flow execute(Node.Statement statement, Scope scope, StringBuilder out) {
        int line = statement.line();
        budget.down(line);
        Flow flow = executed(statement, line, scope, out);
        budget.up();
        return flow;
    }

    private Flow executed(Node.Statement statement, int line, Scope scope, StringBuilder out) {
        switch (statement) {
            case Node.Text text -> write(text.text(), line, out);
            case Node.Print print -> write(Values.text(evaluator.value(print.value(), scope), line, budget), line, out);
            case Node.If choice -> {
                boolean holds = Values.truth(evaluator.value(choice.condition(), scope));
                return body(holds ? choice.then() : choice.otherwise(), scope, out);
            }
            case Node.For loop -> loop(loop, scope, out);
            case Node.Assign assign -> assign(assign.targets(), evaluator.value(assign.value(), scope), line, scope);
            case Node.AssignAttribute assign -> {
                if (!(scope.get(assign.namespace()) instanceof Namespace space)) {
                    throw new TemplateException(line, "\"" + assign.namespace() + "\" is no namespace");
                }
                space.attributes.put(assign.attribute(), evaluator.value(assign.value(), scope));
            }
            case Node.AssignBlock assign -> scope.set(assign.target(), captured(assign.body(), scope.inner()));
            case Node.Macro macro -> scope.set(macro.name(), function(macro, scope));
            case Node.FilterBlock filter -> {
                Object text = captured(filter.body(), scope.inner());
                write(
                        Values.text(
                                evaluator.filter(text, filter.name(), filter.arguments(), line, scope), line, budget),
                        line,
                        out);
            }
            case Node.Group group -> {
                return body(group.body(), scope, out);
            }
            case Node.Leave leave -> {
                return leave.loop() ? Flow.BREAK : Flow.CONTINUE;
            }
        }
        return Flow.ON;
    }

    private void write(String text, int line, StringBuilder out) {
        budget.make(text.length(), line);
        out.append(text);
    }

    private String captured(List<Node.Statement> body, Scope scope) {
        StringBuilder out = new StringBuilder();
        body(body, scope, out);
        return out.toString();
    }

    private void assign(List<String> targets, Object value, int line, Scope scope) {
        if (targets.size() == 1) {
            scope.set(targets.getFirst(), value);
            return;
        }
        List<Object> values = Values.elements(value, line, budget);
        if (values.size() != targets.size()) {
            throw new TemplateException(
                    line,
                    "expected " + targets.size() + " values for " + String.join(", ", targets) + ", found "
                            + values.size());
        }
        for (int i = 0; i < values.size(); i++) {
            scope.set(targets.get(i), values.get(i));
        }
    }

    private void loop(Node.For loop, Scope scope, StringBuilder out) {
        List<Object> items = selected(loop, scope);
        if (items.isEmpty()) {
            body(loop.otherwise(), scope, out);
            return;
        }
        for (int i = 0; i < items.size(); i++) {
            budget.step(loop.line());
            budget.hold(LOOP_FIELDS, loop.line());
            Scope turn = scope.inner();
            turn.set("loop", position(items, i));
            assign(loop.targets(), items.get(i), loop.line(), turn);
            if (body(loop.body(), turn, out) == Flow.BREAK) {
                return;
            }
        }
    }

    private List<Object> selected(Node.For loop, Scope scope) {
        List<Object> items = Values.elements(evaluator.value(loop.items(), scope), loop.line(), budget);
        if (loop.filter().isEmpty()) {
            return items;
        }
        List<Object> selected = new ArrayList<>();
        for (Object item : items) {
            Scope turn = scope.inner();
            assign(loop.targets(), item, loop.line(), turn);
            if (Values.truth(evaluator.value(loop.filter().get(), turn))) {
                selected.add(item);
            }
        }
        return selected;
    }

    private static Map<String, Object> position(List<Object> items, int i) {
        int size = items.size();
        Map<String, Object> loop = new LinkedHashMap<>();
        loop.put("index", i + 1L);
        loop.put("index0", (long) i);
        loop.put("revindex", (long) size - i);
        loop.put("revindex0", size - i - 1L);
        loop.put("first", i == 0);
        loop.put("last", i == size - 1);
        loop.put("length", (long) size);
        loop.put("previtem", i > 0 ? items.get(i - 1) : new Undefined("previtem"));
        loop.put("nextitem", i < size - 1 ? items.get(i + 1) : new Undefined("nextitem"));
        return loop;
    }

    private Function function(Node.Macro macro, Scope scope) {
        return (line, places, names) -> {
            if (places.size() > macro.parameters().size()) {
                throw new TemplateException(
                        line,
                        macro.name() + " wants at most " + macro.parameters().size() + " arguments, found "
                                + places.size());
            }
            budget.enter(line);
            Scope inside = scope.inner();
            for (int i = 0; i < macro.parameters().size(); i++) {
                String name = macro.parameters().get(i);
                Object given = i < places.size() ? places.get(i) : names.getOrDefault(name, new Undefined(name));
                boolean missing = i >= places.size() && !names.containsKey(name);
                Optional<Node.Expr> otherwise =
                        Optional.ofNullable(macro.defaults().get(name));
                inside.set(name, missing && otherwise.isPresent() ? evaluator.value(otherwise.get(), inside) : given);
            }
            String text = captured(macro.body(), inside);
            budget.leave();
            return text;
        };
    }
}
