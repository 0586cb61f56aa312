package dev.kvasir.lab.info;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kvasir.model.Model;
import dev.kvasir.model.ModelConfig;
import dev.kvasir.model.RopeScaling;
import dev.kvasir.model.Weights;
import dev.kvasir.tensor.DType;
import dev.kvasir.tensor.Matrix;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;

class ModelInfoTest {
    private static final int HIDDEN = 8;
    private static final int MLP = 12;
    private static final int VOCABULARY = 20;

    private static Matrix matrix(int rows, int columns) {
        return new Matrix(DType.BF16, rows, columns, MemorySegment.ofArray(new byte[2 * rows * columns]));
    }

    private static Model model(boolean tied) {
        ModelConfig config = ModelConfig.llama(
                HIDDEN,
                MLP,
                1,
                2,
                1,
                4,
                VOCABULARY,
                64,
                1e-5f,
                10000,
                RopeScaling.none(),
                tied,
                Optional.empty(),
                List.of());
        Weights.Layer layer = new Weights.Layer(
                new float[HIDDEN],
                matrix(8, HIDDEN),
                matrix(4, HIDDEN),
                matrix(4, HIDDEN),
                matrix(HIDDEN, 8),
                new float[HIDDEN],
                matrix(MLP, HIDDEN),
                matrix(MLP, HIDDEN),
                matrix(HIDDEN, MLP));
        Matrix embedding = matrix(VOCABULARY, HIDDEN);
        Matrix output = tied ? embedding : matrix(VOCABULARY, HIDDEN);
        return new Model("m", config, new Weights(embedding, List.of(layer), new float[HIDDEN], output), "ab12", 1234);
    }

    @Test
    void countsTiedEmbeddingsOnce() {
        long layer = 8 * HIDDEN + 4 * HIDDEN + 4 * HIDDEN + HIDDEN * 8 + 3 * MLP * HIDDEN;
        long norms = 3 * HIDDEN;
        ModelInfo tied = ModelInfo.of(model(true));
        assertThat(tied.parameters()).isEqualTo(VOCABULARY * HIDDEN + layer + norms);
        assertThat(ModelInfo.of(model(false)).parameters()).isEqualTo(tied.parameters() + VOCABULARY * HIDDEN);
        assertThat(tied.weightBytesByType())
                .isEqualTo(Map.of("bf16", 2 * (VOCABULARY * HIDDEN + layer), "f32", 4 * norms));
    }

    @Test
    void oneTokenTakesTwoBytesForEachElementOfKeysAndValues() {
        assertThat(ModelInfo.of(model(true)).exactBytesPerToken()).isEqualTo(2 * 1 * 4 * 2);
    }
}
