package dev.kvasir.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kvasir.InvalidInputException;
import dev.kvasir.cache.CacheShape;
import dev.kvasir.tensor.DType;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;

class ModelTest {
    @Test
    void configurationSaysWhatACacheMustKnow() {
        assertThat(TestModels.config(48, 3, 6, 2, 16).cacheShape()).isEqualTo(new CacheShape(3, 6, 2, 16, 48));
    }

    @Test
    void refusesConfigurationsThatContradictThemselves() {
        assertThatThrownBy(() -> TestModels.config(48, 1, 5, 2, 16))
                .isInstanceOf(InvalidInputException.class)
                .hasMessage("KV heads must divide the 5 heads, found 2");
        assertThatThrownBy(() -> TestModels.config(48, 1, 4, 2, 15))
                .isInstanceOf(InvalidInputException.class)
                .hasMessageContaining("even");
        assertThatThrownBy(() -> TestModels.config(48, 0, 4, 2, 16))
                .isInstanceOf(InvalidInputException.class)
                .hasMessage("layers must be above 0, found 0");
        assertThatThrownBy(() -> TestModels.config(48, 1, 4, 0, 16))
                .isInstanceOf(InvalidInputException.class)
                .hasMessage("KV heads must be above 0, found 0");
        assertThatThrownBy(() -> config(97, Float.NaN)).hasMessageContaining("rope theta");
        assertThatThrownBy(() -> config(1, 10_000)).hasMessage("eos token must be 0 to 0, found 1");
    }

    private static ModelConfig config(int vocabularySize, float ropeTheta) {
        return ModelConfig.llama(
                8,
                8,
                1,
                1,
                1,
                8,
                vocabularySize,
                8,
                1e-5f,
                ropeTheta,
                RopeScaling.none(),
                true,
                Optional.empty(),
                List.of(1));
    }

    @Test
    void refusesImpossibleRopeScaling() {
        assertThatThrownBy(() -> new RopeScaling.Linear(0))
                .isInstanceOf(InvalidInputException.class)
                .hasMessageContaining("factor");
        assertThatThrownBy(() -> new RopeScaling.Llama3(2, 4, 4, 64)).hasMessageContaining("above the low one");
    }

    @Test
    void refusesWeightsOfAnotherShape() {
        Model model = TestModels.random(TestModels.config(48, 2, 4, 2, 16), DType.F32, 1);
        ModelConfig other = TestModels.config(48, 2, 4, 4, 16);
        assertThatThrownBy(() -> new Model("m", other, model.weights(), "", 0))
                .isInstanceOf(InvalidInputException.class)
                .hasMessage("weights: layer 0 k must be [64][48], found [32][48]");
        ModelConfig deeper = TestModels.config(48, 3, 4, 2, 16);
        assertThatThrownBy(() -> new Model("m", deeper, model.weights(), "", 0))
                .hasMessage("the weights must have 3 layers, found 2");
    }

    @Test
    void sameSeedGivesTheSameTestModel() {
        ModelConfig config = TestModels.config(48, 2, 4, 2, 16);
        Model a = TestModels.random(config, DType.BF16, 1);
        Model b = TestModels.random(config, DType.BF16, 1);
        assertThat(a.weights().output().data().mismatch(b.weights().output().data()))
                .isEqualTo(-1);
    }
}
