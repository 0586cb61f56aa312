package dev.kvasir.lab.task;

import dev.kvasir.InvalidInputException;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** The tasks there are. */
public final class Tasks {
    private Tasks() {}

    /** Every task that asks something, with its defaults. */
    public static List<Task> all() {
        return List.of(new Retrieval(), new TwoHop(), new Arithmetic(), new ManyShot(), new Facts());
    }

    /**
     * The task called {@code name}: one of {@link #all}, or {@link Prose}; {@code labelling} is {@link ManyShot}.
     *
     * @throws InvalidInputException if there is none, with the nearest name there is
     */
    public static Task byName(String name) {
        List<Task> tasks = Stream.concat(all().stream(), Stream.of(new Prose())).toList();
        return tasks.stream()
                .filter(task -> task.name().equals(name))
                .findFirst()
                .or(() -> name.equals(ManyShot.ALIAS) ? Optional.of(new ManyShot()) : Optional.empty())
                .orElseThrow(() -> new InvalidInputException(unknown(name, tasks)));
    }

    private static String unknown(String name, List<Task> tasks) {
        List<String> names = tasks.stream().map(Task::name).toList();
        String lower = name.toLowerCase(Locale.ROOT);
        String nearest = names.stream()
                .min(Comparator.comparingInt(other -> distance(lower, other)))
                .orElseThrow();
        return "task: unknown name '" + name + "', did you mean '" + nearest + "'? Allowed: "
                + names.stream().collect(Collectors.joining(", "));
    }

    /** Levenshtein's distance: the insertions, deletions and replacements that turn {@code a} into {@code b}. */
    private static int distance(String a, String b) {
        int[] previous = new int[b.length() + 1];
        for (int j = 0; j <= b.length(); j++) {
            previous[j] = j;
        }
        for (int i = 1; i <= a.length(); i++) {
            int[] current = new int[b.length() + 1];
            current[0] = i;
            for (int j = 1; j <= b.length(); j++) {
                int replaced = previous[j - 1] + (a.charAt(i - 1) == b.charAt(j - 1) ? 0 : 1);
                current[j] = Math.min(replaced, 1 + Math.min(previous[j], current[j - 1]));
            }
            previous = current;
        }
        return previous[b.length()];
    }

    static int inRange(String option, int value, int most) {
        if (value < 1 || value > most) {
            throw new InvalidInputException(option + ": " + value + " is outside 1 to " + most);
        }
        return value;
    }
}
