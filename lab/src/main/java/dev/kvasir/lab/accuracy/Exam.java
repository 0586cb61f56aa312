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
     * Every task, then, in turns, those whose questions are about single places of the document: what a cache drops for
     * the sake of one question, another may need.
     */
    public static List<Exam> defaults() {
        return Stream.concat(
                        Tasks.all().stream().map(task -> new Exam(task, Way.ANSWERS)),
                        Stream.of(new Exam(new Retrieval(), Way.TURNS), new Exam(new TwoHop(), Way.TURNS)))
                .toList();
    }

    /**
     * The exam of a name.
     *
     * @throws InvalidInputException if there is no such task or way, with what there is
     */
    public static Exam byName(String name) {
        int separator = name.indexOf(SEPARATOR);
        if (separator < 0) {
            return new Exam(Tasks.byName(name), Way.ANSWERS);
        }
        Task task = Tasks.byName(name.substring(0, separator));
        return switch (name.substring(separator + 1)) {
            case "turns" -> new Exam(task, Way.TURNS);
            case "requests" -> new Exam(task, Way.REQUESTS);
            default ->
                throw new InvalidInputException("task: unknown way to ask in '" + name + "'. Allowed: " + task.name()
                        + ", " + task.name() + ":turns, " + task.name() + ":requests");
        };
    }

    /** Its name; {@link #byName} understands it. */
    public String name() {
        return way == Way.ANSWERS ? task.name() : task.name() + SEPARATOR + way.name().toLowerCase(Locale.ROOT);
    }
}
