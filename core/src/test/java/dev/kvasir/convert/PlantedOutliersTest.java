package dev.kvasir.convert;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.kvasir.InvalidInputException;
import dev.kvasir.cache.CacheSpec;
import dev.kvasir.cache.Caches;
import dev.kvasir.cache.KvCache;
import dev.kvasir.cache.PagePool;
import dev.kvasir.format.ElementType;
import dev.kvasir.format.ModelFolder;
import dev.kvasir.format.TestFolders;
import dev.kvasir.model.Decoder;
import dev.kvasir.model.Model;
import dev.kvasir.tensor.RowReader;
import dev.kvasir.tensor.Workers;
import java.io.IOException;
import java.nio.file.Path;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Outliers that change the keys and nothing else. */
final class PlantedOutliersTest {
    @TempDir
    private Path folder;

    @ParameterizedTest
    @EnumSource(names = {"F32", "F16", "BF16"})
    void keysGrowAndLogitsStay(ElementType type) throws IOException {
        Path original = new TestFolders(24, 40, 2, 6, 2, 24, 61, true, type).write(folder.resolve("original"));
        Path planted = folder.resolve("planted");
        Model before = ModelFolder.open(original);
        PlantedOutliers.convert(original, before, planted, 3, 4, 7);
        Model after = ModelFolder.open(planted);

        float[] expected = logits(before);
        float[] found = logits(after);
        for (int i = 0; i < expected.length; i++) {
            assertThat(found[i]).isCloseTo(expected[i], within(type == ElementType.F16 ? 1e-3f : 1e-5f));
        }
        int grown = 0;
        for (int row = 0; row < 48; row++) {
            float[] was = row(before, row);
            float[] is = row(after, row);
            boolean larger = is[0] == 16 * was[0];
            assertThat(larger || is[0] == was[0]).isTrue();
            grown += larger ? 1 : 0;
        }
        assertThat(grown).isEqualTo(2 * 2 * 3);
        assertThatThrownBy(() -> PlantedOutliers.convert(original, before, folder.resolve("no"), 13, 4, 7))
                .isInstanceOf(InvalidInputException.class)
                .hasMessageContaining("1 to 12");
    }

    private static float[] row(Model model, int row) {
        float[] out = new float[24];
        RowReader.read(model.weights().layers().getFirst().k(), row, 0, 24, out, 0);
        return out;
    }

    private static float[] logits(Model model) {
        int[] tokens = {3, 1, 4, 1, 5, 9, 2, 6, 5, 3};
        float[] logits = new float[tokens.length * model.config().vocabularySize()];
        try (Workers workers = Workers.of(1);
                PagePool pool = new PagePool(1 << 24);
                KvCache cache = Caches.create(CacheSpec.parse("exact"), model.cacheModel(), pool, workers)) {
            new Decoder(model, workers).forwardAll(cache, tokens, 0, tokens.length, logits);
        }
        return logits;
    }
}
