package dev.kvasir.lab.task;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/**
 * Chained sums written out step by step, one problem a line, as many as fit: 3 to 8 steps that add or take 1 to 9, all
 * values in 0 to 99. Answers are every result after an equals sign and the final result.
 */
public final class Arithmetic implements Task {
    private static final int LEAST_STEPS = 3;
    private static final int MOST_STEPS = 8;
    private static final int MOST = 99;

    @Override
    public String name() {
        return "arithmetic";
    }

    @Override
    public Sample sample(Split split, long index, int tokens, TokenCounter counter) {
        return Fit.to(name(), tokens, counter, budget -> draft(new Dice(split, name(), index), split, budget, counter));
    }

    private static Optional<Sample> draft(Dice dice, Split split, int budget, TokenCounter counter) {
        List<Piece> problems = new ArrayList<>();
        int left = budget;
        int most = MOST_STEPS;
        while (most >= LEAST_STEPS) {
            int steps = dice.between(LEAST_STEPS, most);
            Piece problem = problem(dice, steps, counter);
            while (problems.isEmpty() && !split.owns(problem.text())) {
                problem = problem(dice, steps, counter);
            }
            if (problem.tokens() <= left) {
                problems.add(problem);
                left -= problem.tokens();
            } else {
                most = steps - 1;
            }
        }
        if (problems.isEmpty()) {
            return Optional.empty();
        }
        List<Piece> pieces = new ArrayList<>(Prose.lines(dice, split, Set.of(), left, counter));
        pieces.addAll(problems);
        return Optional.of(Fit.join(pieces));
    }

    private static Piece problem(Dice dice, int steps, TokenCounter counter) {
        int value = dice.below(MOST + 1);
        StringBuilder text = new StringBuilder(" start ").append(value).append(" ;");
        StringBuilder work = new StringBuilder(" work :");
        List<Span> inWork = new ArrayList<>();
        for (int step = 0; step < steps; step++) {
            int operand = dice.between(1, 9);
            boolean add = value < operand || (value + operand <= MOST && dice.below(2) == 0);
            int result = add ? value + operand : value - operand;
            text.append(add ? " add " : " take ").append(operand).append(" ;");
            work.append(' ').append(value).append(add ? " + " : " - ").append(operand);
            work.append(" =");
            inWork.add(append(work, result));
            work.append(" ;");
            value = result;
        }
        work.append(" result");
        inWork.add(append(work, value));
        int offset = text.length();
        text.append(work).append(" ;\n");
        List<Span> answers = inWork.stream().map(span -> span.shifted(offset)).toList();
        String line = text.toString();
        return new Piece(line, answers, counter.count(line));
    }

    private static Span append(StringBuilder work, int number) {
        int start = work.length();
        work.append(' ').append(number);
        return new Span(start, work.length());
    }
}
