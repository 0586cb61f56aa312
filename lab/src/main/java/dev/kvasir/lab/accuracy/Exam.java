package dev.kvasir.lab.accuracy;

import dev.kvasir.InvalidInputException;
import dev.kvasir.lab.task.Retrieval;
import dev.kvasir.lab.task.Task;
import dev.kvasir.lab.task.Tasks;
import dev.kvasir.lab.task.TwoHop;
import java.util.List;
import java.util.Locale;
import java.util.stream.Stream;

/** A task, and how it is asked: in text {@code retrieval}, {@code retrieval:turns} or {@code retrieval:requests}. */
public record Exam(Task task, Way way) {
    private static final char SEPARATOR = ':';

    /**
     * Every task; where its questions are about single places of the document, in turns as well: what a cache drops for the
     * sake of one question, another may need.
     */
    public static List<Exam> defaults() {
        return Tasks.all().stream()
                .flatMap(task -> task instanceof Retrieval || task instanceof TwoHop
                        ? Stream.of(new Exam(task, Way.ANSWERS), new Exam(task, Way.TURNS))
                        : Stream.of(new Exam(task, Way.ANSWERS)))
                .toList();
    }

    /**
     * The exam of a name.
     *
     * @throws InvalidInputException if there is no such task or way, with what there is
     */
    public static Exam byName(String name) {
        Task task = Tasks.byName(taskName(name));
        return switch (name.substring(taskName(name).length())) {
            case "" -> new Exam(task, Way.ANSWERS);
            case ":turns" -> new Exam(task, Way.TURNS);
            case ":requests" -> new Exam(task, Way.REQUESTS);
            default ->
                throw new InvalidInputException("task: unknown way to ask in '" + name + "'. Allowed: " + task.name()
                        + ", " + task.name() + ":turns, " + task.name() + ":requests");
        };
    }

    /** Its name; {@link #byName} understands it. */
    public String name() {
        return way == Way.ANSWERS
                ? task.name()
                : task.name() + SEPARATOR + way.name().toLowerCase(Locale.ROOT);
    }

    /** The task's part of an exam's name. */
    static String taskName(String name) {
        int separator = name.indexOf(SEPARATOR);
        return separator < 0 ? name : name.substring(0, separator);
    }
}
