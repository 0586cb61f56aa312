package dev.kvasir.train;

import dev.kvasir.train.recipe.Recipe;
import java.util.Locale;
import java.util.Map;

/** The README of a trained model: what it is, what it was trained on, what it scores. */
final class ModelCard {
    private ModelCard() {}

    static String text(Recipe recipe, long parameters, String tokenizer, long steps, EvaluationReport report) {
        StringBuilder card = new StringBuilder();
        card.append("# ").append(recipe.name()).append("\n\n");
        card.append(String.format(
                Locale.ROOT,
                "A Llama decoder of %.2f M parameters (hidden %d, %d layers, %d query and %d KV heads of %d, MLP %d, tied "
                        + "embeddings, context %d), made to be damaged by a bad KV cache: small enough to ship, trained to "
                        + "look things up far back in its context. It is no assistant and knows no facts of the world.%n%n",
                parameters / 1e6,
                recipe.shape().hiddenSize(),
                recipe.shape().layers(),
                recipe.shape().heads(),
                recipe.shape().kvHeads(),
                recipe.shape().headDim(),
                recipe.shape().intermediateSize(),
                recipe.contextLength()));
        card.append("## Training\n\n");
        card.append(String.format(
                Locale.ROOT, "Tokenizer, %d ids, byte-level: %s%n%n", recipe.vocabularySize(), tokenizer));
        card.append(String.format(
                Locale.ROOT,
                "%d of %d steps, %.1f M tokens, seed %d; AdamW, peak learning rate %s, weight decay %s. Texts: generated "
                        + "documents (seeded, endless) and public-domain novels, of each the first nine tenths. The "
                        + "curriculum:%n%n",
                steps,
                recipe.steps(),
                recipe.tokensUntil(steps) / 1e6,
                recipe.seed(),
                recipe.optimizer().learningRate(),
                recipe.optimizer().weightDecay()));
        card.append("| stage | steps | row length | rows | mixture |\n|---|---|---|---|---|\n");
        for (Recipe.Stage stage : recipe.stages()) {
            card.append(String.format(
                    Locale.ROOT,
                    "| %s | %d | %d | %d | %s |%n",
                    stage.name(),
                    stage.steps(),
                    stage.length(),
                    stage.rows(),
                    mixture(stage.mixture())));
        }
        card.append(String.format(
                Locale.ROOT,
                "%n## Scores%n%nOn unseen seeds and on the last tenth of the books, rows of %d tokens, f32 weights, exact "
                        + "attention. An answer counts when every token of it is the arg max.%n%n",
                recipe.evaluation().length()));
        card.append("| source | answers right | of | bits per byte |\n|---|---|---|---|\n");
        report.scores()
                .forEach((name, score) -> card.append(String.format(
                        Locale.ROOT,
                        "| %s | %s | %d | %s |%n",
                        name,
                        score.answers() == 0 ? "-" : String.format(Locale.ROOT, "%.1f %%", 100 * score.accuracy()),
                        score.answers(),
                        score.wholeText() ? String.format(Locale.ROOT, "%.3f", score.bitsPerByte()) : "-")));
        card.append(
                "\nLicence: Apache-2.0. Made by `./kvasir train`; `./kvasir compare` shows what each cache does to it.\n");
        return card.toString();
    }

    private static String mixture(Map<String, Double> mixture) {
        StringBuilder text = new StringBuilder();
        mixture.entrySet().stream()
                .sorted(Map.Entry.comparingByKey())
                .forEach(e -> text.append(text.isEmpty() ? "" : ", ")
                        .append(String.format(Locale.ROOT, "%s %.0f %%", e.getKey(), 100 * e.getValue())));
        return text.toString();
    }
}
