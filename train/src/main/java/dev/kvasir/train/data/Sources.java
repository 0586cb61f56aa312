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

/** The sources a recipe names, by name. */
public final class Sources {
    /** Tokens of a document for each pair or chain that it holds. */
    private static final int DENSE_PAIR = 16;

    private static final int SPARSE_PAIR = 32;
    private static final int DENSE_CHAIN = 36;
    private static final int SPARSE_CHAIN = 64;
    private static final int MOST_PAIRS = 64;
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
                                    training(name),
                                    Tasks.byName(name),
                                    tokenizer,
                                    endOfText,
                                    weights.answer(),
                                    weights.other());
                    });
        }
        return sources;
    }

    /**
     * Training asks for everything a document tells; every other document is dense, telling about twice as much as a test
     * of its length does.
     */
    private static TaskSource.Choice training(String name) {
        Task plain = Tasks.byName(name);
        return switch (name) {
            case "retrieval" ->
                (index, tokens) -> {
                    int pairs = Math.clamp(tokens / (index % 2 == 0 ? DENSE_PAIR : SPARSE_PAIR), 2, MOST_PAIRS);
                    return new Retrieval(pairs, pairs);
                };
            case "two-hop" ->
                (index, tokens) -> {
                    int chains = Math.clamp(tokens / (index % 2 == 0 ? DENSE_CHAIN : SPARSE_CHAIN), 2, MOST_CHAINS);
                    return new TwoHop(chains, chains);
                };
            default -> (index, tokens) -> plain;
        };
    }
}
