package dev.kvasir.format;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kvasir.InvalidInputException;
import dev.kvasir.model.Model;
import dev.kvasir.model.Weights;
import dev.kvasir.tensor.DType;
import dev.kvasir.tensor.Matrix;
import dev.kvasir.tensor.RowReader;
import dev.kvasir.tensor.Workers;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

// The same object is the point: nothing is copied.
@SuppressWarnings("ReferenceEquality")
class QuantizedModelTest {
    @TempDir
    private Path folder;

    private Model folder(boolean tied, ElementType type) throws IOException {
        TestFolders shape = new TestFolders(64, 96, 2, 4, 2, 16, 300, tied, type);
        return ModelFolder.open(shape.write(folder.resolve(type + "-" + tied)));
    }

    private static Model made(Model model, DType type) {
        try (Workers workers = Workers.of(2)) {
            return QuantizedModel.of(model, type, workers, WeightProgress.none());
        }
    }

    @Test
    void everyNumberIsWithinAStepOfItsBlock() throws IOException {
        Model model = folder(false, ElementType.F32);
        for (DType type : List.of(DType.Q8_0, DType.Q5_1, DType.Q4_0, DType.BF16, DType.F16)) {
            Weights.Layer found = made(model, type).weights().layers().getLast();
            assertThat(found.down().dtype()).isEqualTo(type);
            Matrix original = model.weights().layers().getLast().down();
            float[] expected = new float[96];
            float[] row = new float[96];
            for (int r = 0; r < 64; r++) {
                RowReader.read(original, r, 0, 96, expected, 0);
                RowReader.read(found.down(), r, 0, 96, row, 0);
                for (int i = 0; i < 96; i++) {
                    // Numbers are of deviation 0.1; the largest of a block of 32 is hardly above 0.45.
                    assertThat(row[i]).isCloseTo(expected[i], org.assertj.core.api.Assertions.within(step(type)));
                }
            }
        }
    }

    private static float step(DType type) {
        return switch (type) {
            case Q4_0 -> 0.45f / 8;
            case Q5_1 -> 0.9f / 31;
            case Q8_0 -> 0.45f / 127;
            default -> 0.45f / 256;
        };
    }

    @Test
    void allMatricesLieInOneAllocationAndAreCounted() throws IOException {
        for (boolean tied : new boolean[] {true, false}) {
            Model model = folder(tied, ElementType.BF16);
            Model q8 = made(model, DType.Q8_0);
            long numbers = 300L * 64 * (tied ? 1 : 2) + 2L * (2 * 64 * 64 + 2 * 32 * 64 + 3 * 64 * 96);
            assertThat(q8.weightBytes()).isEqualTo(numbers / 32 * 34 + 4 * 5 * 64);
            assertThat(QuantizedModel.bytes(model, DType.Q8_0))
                    .isBetween(numbers / 32 * 34, numbers / 32 * 34 + 64 * 16);
            long first = q8.weights().embedding().data().address();
            long last = q8.weights().output().data().address();
            assertThat(last - first).isBetween(0L, QuantizedModel.bytes(model, DType.Q8_0));
            assertThat(first % 64).isZero();
            assertThat(q8.weights().output() == q8.weights().embedding()).isEqualTo(tied);
        }
    }

    @Test
    void aModelOfTheTypeAlreadyIsNotCopied() throws IOException {
        Model model = folder(false, ElementType.BF16);
        assertThat(QuantizedModel.bytes(model, DType.BF16)).isZero();
        Model same = made(model, DType.BF16);
        assertThat(same.weights().output()).isSameAs(model.weights().output());
    }

    @Test
    void anotherTypeIsAnotherModelToSavedCaches() throws IOException {
        Model model = folder(true, ElementType.BF16);
        assertThat(made(model, DType.Q8_0).fingerprint())
                .hasSameSizeAs(model.fingerprint())
                .isNotEqualTo(model.fingerprint())
                .isNotEqualTo(made(model, DType.Q4_0).fingerprint())
                .isEqualTo(made(model, DType.Q8_0).fingerprint());
    }

    @Test
    void reportsHowFarItIs() throws IOException {
        List<Long> reports = new ArrayList<>();
        Model model = folder(true, ElementType.BF16);
        try (Workers workers = Workers.of(1)) {
            QuantizedModel.of(model, DType.Q4_0, workers, (done, total) -> {
                assertThat(total).isEqualTo(QuantizedModel.bytes(model, DType.Q4_0));
                reports.add(done);
            });
        }
        assertThat(reports).isSorted().startsWith(0L).endsWith(QuantizedModel.bytes(model, DType.Q4_0));
    }

    @Test
    void saysWhyItCannot() throws IOException {
        Model model = folder(true, ElementType.BF16);
        Model packed = made(model, DType.Q8_0);
        assertThatThrownBy(() -> made(packed, DType.Q4_0))
                .isInstanceOf(InvalidInputException.class)
                .hasMessageContaining("quantised already (the embedding is Q8_0)")
                .hasMessageContaining("kvasir convert gguf --type");
        assertThatThrownBy(() -> made(model, DType.Q6_K)).hasMessageContaining("weights cannot be made Q6_K");
        Model narrow = ModelFolder.open(TestFolders.TINY.write(folder.resolve("narrow")));
        assertThatThrownBy(() -> made(narrow, DType.Q8_0))
                .isInstanceOf(InvalidInputException.class)
                .hasMessage("the embedding has rows of 12 numbers, Q8_0 needs a multiple of 32:"
                        + " allowed are F32, F16 and BF16");
    }
}
