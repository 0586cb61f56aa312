package dev.kvasir.cache;

import java.util.List;

/**
 * What a person should know of a method before choosing it.
 *
 * @param idea why it works, in a few sentences; empty if nobody has written it
 * @param bits bits per element as a formula of the options; empty if nobody has written it
 * @param paperFigures what its authors report, one line each, with model and measure
 * @param ourFigures what this project's commands measured, one line each, with model and measure
 */
public record MethodNotes(String idea, String bits, List<String> paperFigures, List<String> ourFigures) {
    /** A method of which nothing is noted. */
    public static final MethodNotes NONE = new MethodNotes("", "", List.of(), List.of());

    /** Keeps its own lists. */
    public MethodNotes {
        paperFigures = List.copyOf(paperFigures);
        ourFigures = List.copyOf(ourFigures);
    }
}
