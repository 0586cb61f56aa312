package dev.kvasir.train.data;

import dev.kvasir.InvalidInputException;
import dev.kvasir.lab.task.Retrieval;
import dev.kvasir.lab.task.Task;
import dev.kvasir.lab.task.Tasks;
import dev.kvasir.lab.task.TwoHop;
import dev.kvasir.tokenizer.Tokenizer;
import dev.kvasir.train.recipe.Recipe;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.TreeSet;
import java.util.function.IntFunction;

/** The sources a recipe names, by name. */
public final class Sources {
    private static final int TOKENS_PER_PAIR = 16;
    private static final int MOST_PAIRS = 64;
    private static final int TOKENS_PER_CHAIN = 40;
    private static final int MOST_CHAINS = 24;

    private Sources() {}

    /**
     * Makes every source that a stage of the recipe uses.
     *
     * @param books folder of plain-text books, needed only if the recipe uses {@code books}
     */
    public static Map<String, RowSource> of(
            Recipe recipe, Tokenizer tokenizer, int vocabularySize, int endOfText, Optional<Path> books) {
        TreeSet<String> names = new TreeSet<>();
        recipe.stages().forEach(stage -> names.addAll(stage.mixture().keySet()));
        Map<String, RowSource> sources = new LinkedHashMap<>();
        for (String name : names) {
            Recipe.SourceWeights weights = recipe.sources().get(name);
            if (weights == null) {
                throw new InvalidInputException(
                        "recipe: a stage uses source '" + name + "', which has no weights under 'sources'; there are "
                                + recipe.sources().keySet());
            }
            sources.put(
                    name,
                    switch (name) {
                        case "copy" -> new CopySource(vocabularySize);
                        case "books" ->
                            new BookSource(
                                    books.orElseThrow(() -> new InvalidInputException(
                                            "the recipe trains on books: name a folder of .txt files (--books DIR)")),
                                    tokenizer);
                        default ->
                            new TaskSource(
                                    name,
                                    dense(name),
                                    Tasks.byName(name),
                                    tokenizer,
                                    endOfText,
                                    weights.answer(),
                                    weights.other());
                    });
        }
        return sources;
    }

    /** Training asks for everything a document tells, and tells more than the test does. */
    private static IntFunction<Task> dense(String name) {
        Task plain = Tasks.byName(name);
        return switch (name) {
            case "retrieval" ->
                tokens -> {
                    int pairs = Math.clamp(tokens / TOKENS_PER_PAIR, 2, MOST_PAIRS);
                    return new Retrieval(pairs, pairs);
                };
            case "two-hop" ->
                tokens -> {
                    int chains = Math.clamp(tokens / TOKENS_PER_CHAIN, 2, MOST_CHAINS);
                    return new TwoHop(chains, chains);
                };
            default -> tokens -> plain;
        };
    }
}
