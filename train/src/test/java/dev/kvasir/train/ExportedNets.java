package dev.kvasir.train;

import dev.kvasir.train.net.LlamaNet;
import dev.kvasir.train.recipe.Recipe;
import java.nio.file.Path;

/** Writes nets for tests of other packages. */
public final class ExportedNets {
    private ExportedNets() {}

    /** A model folder of the net with a tokenizer of {@link TestTexts#VOCABULARY} ids beside it. */
    public static void write(Path folder, LlamaNet net) {
        Recipe base = TestTexts.recipe(3);
        Recipe recipe = new Recipe(
                base.name(),
                base.seed(),
                net.vocabularySize(),
                2048,
                net.shape(),
                base.optimizer(),
                base.sources(),
                base.stages(),
                base.evaluation());
        ModelExport.write(folder, recipe, net, TestTexts.tokenizer(folder.resolve("tokenizer")), 0, 1, "test");
    }
}
