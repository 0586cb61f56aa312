package dev.kvasir.format;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kvasir.InvalidFileException;
import dev.kvasir.model.Model;
import dev.kvasir.model.ModelConfig;
import dev.kvasir.model.RopeScaling;
import dev.kvasir.model.Weights;
import java.io.IOException;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import org.assertj.core.api.AbstractThrowableAssert;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

class ModelFolderTest {
    private static final TestFolders TINY = TestFolders.TINY;

    @TempDir
    private Path folder;

    private AbstractThrowableAssert<?, ? extends Throwable> assertRefused() {
        return assertThatThrownBy(() -> ModelFolder.open(folder))
                .isInstanceOf(InvalidFileException.class)
                .hasMessageNotContaining("\n");
    }

    private ModelConfig config(String changes) throws IOException {
        ObjectNode config = TINY.config();
        for (var change : JsonFile.MAPPER.readTree(changes).properties()) {
            config.set(change.getKey(), change.getValue());
        }
        TINY.write(folder);
        TestFolders.writeConfig(folder, config);
        return ModelFolder.open(folder).config();
    }

    @ParameterizedTest
    @EnumSource(names = {"F32", "F16", "BF16"})
    void opensEveryWeightType(ElementType type) throws IOException {
        TestFolders shape = TINY.with(type).untied();
        Model model = ModelFolder.open(shape.write(folder.resolve("my-model")));
        assertThat(model.name()).isEqualTo("my-model");
        assertThat(model.weightBytes())
                .isEqualTo(shape.tensors().stream().mapToLong(TensorInfo::bytes).sum());
        Weights weights = model.weights();
        assertThat(weights.layers()).hasSize(2);
        Weights.Layer layer = weights.layers().get(1);
        assertThat(layer.k().rows()).isEqualTo(12);
        assertThat(layer.k().columns()).isEqualTo(12);
        assertThat(layer.down().columns()).isEqualTo(20);
        assertThat(layer.q().data().toArray(ValueLayout.JAVA_BYTE))
                .isEqualTo(TestFolders.values(
                                new TensorInfo("model.layers.1.self_attn.q_proj.weight", type, List.of(24L, 12L)))
                        .array());
        assertThat(weights.output().data().address())
                .isNotEqualTo(weights.embedding().data().address());
    }

    @Test
    void opensRandomShapes() throws IOException {
        Random random = new Random(1);
        for (int round = 0; round < 20; round++) {
            int kvHeads = 1 + random.nextInt(3);
            TestFolders shape = new TestFolders(
                    1 + random.nextInt(40),
                    1 + random.nextInt(40),
                    1 + random.nextInt(4),
                    kvHeads * (1 + random.nextInt(3)),
                    kvHeads,
                    2 * (1 + random.nextInt(9)),
                    3 + random.nextInt(50),
                    random.nextBoolean(),
                    ElementType.F16);
            Model model = ModelFolder.open(shape.write(folder));
            assertThat(model.weights().layers()).hasSize(shape.layers());
            assertThat(model.config().headDim()).isEqualTo(shape.headDim());
        }
    }

    @Test
    void readsTheConfiguration() throws IOException {
        ModelConfig config = config("""
                {"rms_norm_eps": 1e-5, "rope_theta": 500000.0, "bos_token_id": 7, "eos_token_id": [5, 9],
                 "rope_scaling": {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0,
                                  "high_freq_factor": 4.0, "original_max_position_embeddings": 64}}""");
        assertThat(config.rmsNormEpsilon()).isEqualTo(1e-5f);
        assertThat(config.rotary(0).theta()).isEqualTo(500_000f);
        assertThat(config.contextLength()).isEqualTo(256);
        assertThat(config.bosToken()).contains(7);
        assertThat(config.eosTokens()).containsExactly(5, 9);
        assertThat(config.rotary(0).scaling()).isEqualTo(new RopeScaling.Llama3(8, 1, 4, 64));
    }

    @Test
    void absentFieldsHaveHuggingFacesDefaults() throws IOException {
        TestFolders shape = new TestFolders(12, 20, 1, 2, 2, 6, 300, false, ElementType.F32);
        ObjectNode config = shape.config();
        config.remove(List.of(
                "head_dim",
                "num_key_value_heads",
                "tie_word_embeddings",
                "max_position_embeddings",
                "eos_token_id",
                "bos_token_id"));
        shape.write(folder);
        TestFolders.writeConfig(folder, config);
        assertThat(ModelFolder.open(folder).config())
                .isEqualTo(ModelConfig.llama(
                        12,
                        20,
                        1,
                        2,
                        2,
                        6,
                        300,
                        2048,
                        1e-6f,
                        10_000,
                        RopeScaling.none(),
                        false,
                        Optional.empty(),
                        List.of()));
    }

    @Test
    void readsTheNewerFormOfRotaryParameters() throws IOException {
        assertThat(config("{\"rope_parameters\": {\"rope_type\": \"default\", \"rope_theta\": 12345.0}}"))
                .satisfies(c -> assertThat(c.rotary(0).theta()).isEqualTo(12345f))
                .satisfies(c -> assertThat(c.rotary(0).scaling()).isEqualTo(RopeScaling.none()));
        assertThat(config("{\"rope_parameters\": {\"type\": \"linear\", \"factor\": 2}}")
                        .rotary(0)
                        .scaling())
                .isEqualTo(new RopeScaling.Linear(2));
    }

    @Test
    void endsAtWhatEitherFileNames() throws IOException {
        Files.writeString(folder.resolve("generation_config.json"), "{\"eos_token_id\": [4, 2]}");
        assertThat(config("{}").eosTokens()).containsExactly(2, 4);
    }

    @ParameterizedTest
    @ValueSource(strings = {"null", "256", "4096"})
    void takesMistralWithoutSlidingWindow(String window) throws IOException {
        assertThat(config("{\"model_type\": \"mistral\", \"sliding_window\": " + window + "}")
                        .heads())
                .isEqualTo(4);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '`',
            value = {
                "{\"model_type\":\"mamba\"}                      | model_type must be one of llama, mistral, qwen2, qwen3, phi3, gemma2, gemma3_text, smollm3, found \"mamba\"",
                "{\"model_type\":null}                           | model_type must be one of llama",
                "{\"layer_types\":[\"full_attention\"]}          | layer_types must be a list of 2 types",
                "{\"model_type\":\"gemma2\",\"sliding_window\":null} | sliding_window is missing, but layer 0",
                "{\"rope_scaling\":{\"rope_type\":\"longrope\",\"short_factor\":[1]}} | short_factor must be a list of 3 numbers",
                "{\"sliding_window\":128}                        | sliding_window must be absent in a llama, or at least max_position_embeddings 256, found 128",
                "{\"hidden_size\":0}                             | hidden_size must be an integer from 1",
                "{\"hidden_size\":12.5}                          | hidden_size must be an integer",
                "{\"hidden_size\":\"12\"}                        | hidden_size must be an integer",
                "{\"hidden_size\":99999999999}                   | hidden_size must be an integer",
                "{\"hidden_size\":null}                          | hidden_size is missing",
                "{\"num_hidden_layers\":1000000}                 | num_hidden_layers must be an integer from 1 to 4096",
                "{\"num_key_value_heads\":3}                     | num_key_value_heads must divide num_attention_heads 4, found 3",
                "{\"head_dim\":7}                                | head_dim must be even",
                "{\"head_dim\":null,\"num_attention_heads\":5,\"num_key_value_heads\":5} | head_dim is missing, and hidden_size 12",
                "{\"vocab_size\":-1}                             | vocab_size must be",
                "{\"rms_norm_eps\":0}                            | rms_norm_eps must be a number above 0",
                "{\"rope_theta\":-5}                             | rope_theta must be a number above 0",
                "{\"rope_scaling\":{\"rope_type\":\"dynamic\"}}  | rope_scaling.rope_type must be default, linear, llama3, yarn or longrope, found \"dynamic\"",
                "{\"rope_scaling\":{\"type\":\"linear\"}}        | rope_scaling.factor is missing",
                "{\"rope_scaling\":7}                            | rope_scaling must be an object",
                "{\"rope_scaling\":{\"rope_type\":\"llama3\",\"factor\":8,\"low_freq_factor\":4,\"high_freq_factor\":4}} | must be below high_freq_factor",
                "{\"rope_parameters\":{\"partial_rotary_factor\":0.5}} | rope_parameters.partial_rotary_factor must be 1",
                "{\"rope_scaling\":{\"type\":\"linear\",\"factor\":2},\"rope_parameters\":{}} | only one may be",
                "{\"attention_bias\":true}                       | attention_bias must be false",
                "{\"mlp_bias\":true}                             | mlp_bias must be false",
                "{\"hidden_act\":\"gelu\"}                       | hidden_act must be silu",
                "{\"tie_word_embeddings\":\"yes\"}               | tie_word_embeddings must be true or false",
                "{\"quantization_config\":{}}                    | quantization_config must be absent",
                "{\"eos_token_id\":300}                          | eos_token_id must be an integer from 0 to 299",
                "{\"eos_token_id\":[1,\"2\"]}                    | eos_token_id must be an integer",
            })
    void refusesWhatItCannotRun(String changes, String problem) {
        assertThatThrownBy(() -> config(changes))
                .isInstanceOf(InvalidFileException.class)
                .hasMessageStartingWith(folder.resolve("config.json") + ": ")
                .hasMessageContaining(problem)
                .hasMessageNotContaining("\n");
    }

    @Test
    void namesTheTensorOfAnotherShape() throws IOException {
        TINY.write(folder);
        TestFolders.writeConfig(folder, TINY.config().put("intermediate_size", 21));
        assertRefused()
                .hasMessage(folder.resolve("model.safetensors")
                        + ": tensor model.layers.0.mlp.gate_proj.weight has shape [20][12], expected [21][12]");
    }

    @Test
    void namesTheMissingTensor() throws IOException {
        TINY.write(folder);
        TestFolders.writeConfig(folder, TINY.config().put("tie_word_embeddings", false));
        assertRefused().hasMessageEndingWith("model.safetensors: tensor lm_head.weight is missing");
    }

    @Test
    void refusesDecoderTensorsThatWouldBeLeftOut() throws IOException {
        TINY.write(folder);
        TestFolders.writeConfig(folder, TINY.config().put("num_hidden_layers", 1));
        assertRefused().hasMessageContaining("tensor model.layers.1.").hasMessageContaining("llama model of 1 layers");
        List<TensorInfo> tensors = new ArrayList<>(TINY.tensors());
        tensors.add(new TensorInfo("model.layers.0.self_attn.q_proj.bias", ElementType.F32, List.of(24L)));
        TINY.write(folder);
        TestFolders.writeWeights(folder.resolve("model.safetensors"), tensors);
        assertRefused().hasMessageContaining("q_proj.bias").hasMessageContaining("not part of a llama");
    }

    @Test
    void tiedEmbeddingWinsOverAStoredOutput() throws IOException {
        TINY.untied().write(folder);
        TestFolders.writeConfig(folder, TINY.config());
        Weights weights = ModelFolder.open(folder).weights();
        assertThat(weights.output()).isSameAs(weights.embedding());
    }

    @Test
    void opensShards() throws IOException {
        TINY.writeSharded(folder.resolve("sharded"));
        Model sharded = ModelFolder.open(folder.resolve("sharded"));
        Model single = ModelFolder.open(TINY.write(folder.resolve("single")));
        assertThat(sharded.weightBytes()).isEqualTo(single.weightBytes());
        assertThat(sharded.fingerprint()).isEqualTo(single.fingerprint());
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "../model.safetensors",
                "/etc/passwd",
                "a/b.safetensors",
                "..",
                ".",
                "",
                "C:x",
                "a\\b",
                "a\u0000b"
            })
    void refusesShardsOutsideOfTheFolder(String name) throws IOException {
        TINY.writeSharded(folder);
        ObjectNode map = JsonFile.MAPPER.createObjectNode();
        map.put("model.norm.weight", name);
        TestFolders.writeIndex(folder, map);
        assertRefused()
                .hasMessageContaining("weight_map.model.norm.weight must be the name of a file in the same folder");
    }

    @Test
    void namesTheShardThatLacksATensor() throws IOException {
        TINY.writeSharded(folder);
        JsonNode index = JsonFile.MAPPER.readTree(Files.readAllBytes(folder.resolve("model.safetensors.index.json")));
        ObjectNode map = (ObjectNode) index.get("weight_map");
        map.put("model.norm.weight", "model-00001-of-00002.safetensors");
        TestFolders.writeIndex(folder, map);
        assertRefused().hasMessageContaining("model-00001-of-00002.safetensors: tensor model.norm.weight is missing");
        map.put("model.norm.weight", "model-00003-of-00002.safetensors");
        TestFolders.writeIndex(folder, map);
        assertRefused().hasMessageEndingWith("model-00003-of-00002.safetensors: there is no such file");
    }

    @Test
    void saysWhatAFolderLacks() throws IOException {
        Path missing = folder.resolve("nowhere");
        assertThatThrownBy(() -> ModelFolder.open(missing)).hasMessage(missing + ": there is no such folder");
        assertRefused().hasMessageContaining("config.json is missing");
        TestFolders.writeConfig(folder, TINY.config());
        assertRefused().hasMessageContaining("model.safetensors and model.safetensors.index.json are both missing");
        Files.createFile(folder.resolve("pytorch_model.bin"));
        assertRefused().hasMessageContaining("must be converted");
    }

    @Test
    void pointsToTheGgufFileInAFolder() throws IOException {
        Path other = Files.writeString(folder.resolve("model.safetensors"), "x");
        assertThatThrownBy(() -> ModelFolder.open(other)).hasMessageContaining("is a file: give a GGUF file, or");
        Path file = Files.writeString(folder.resolve("a.gguf"), "GGUF");
        assertRefused().hasMessageContaining("name the file: " + file);
    }

    @Test
    void knowsGgufByNameOrMagic() throws IOException {
        assertThat(Models.isGguf(Files.writeString(folder.resolve("model"), "GGUF and more")))
                .isTrue();
        assertThat(Models.isGguf(Files.writeString(folder.resolve("x.GGUF"), "")))
                .isTrue();
        assertThat(Models.isGguf(Files.writeString(folder.resolve("y"), "GGU"))).isFalse();
        assertThat(Models.isGguf(folder)).isFalse();
    }

    @Test
    void fingerprintTellsModelsApart() throws IOException {
        TestFolders large = new TestFolders(64, 96, 1, 4, 2, 16, 1200, true, ElementType.F32);
        Path file = large.write(folder).resolve("model.safetensors");
        String fingerprint = ModelFolder.open(folder).fingerprint();
        assertThat(fingerprint).matches("[0-9a-f]{32}");
        assertThat(ModelFolder.open(folder).fingerprint()).isEqualTo(fingerprint);

        TestFolders.writeConfig(folder, large.config().put("eos_token_id", 5).put("max_position_embeddings", 512));
        assertThat(ModelFolder.open(folder).fingerprint()).isEqualTo(fingerprint);
        TestFolders.writeConfig(folder, large.config().put("rope_theta", 20_000));
        assertThat(ModelFolder.open(folder).fingerprint()).isNotEqualTo(fingerprint);
        TestFolders.writeConfig(folder, large.config());

        byte[] whole = Files.readAllBytes(file);
        SafetensorsFile opened = SafetensorsFile.open(file);
        long start = whole.length
                - opened.tensors().stream().mapToLong(TensorInfo::bytes).sum();
        for (TensorInfo tensor : opened.tensors()) {
            byte[] changed = whole.clone();
            // The last byte of each tensor is sampled, however large the tensor.
            start += tensor.bytes();
            changed[(int) start - 1] ^= 1;
            Path other = Files.createDirectories(folder.resolve("other"));
            Files.write(other.resolve("model.safetensors"), changed);
            TestFolders.writeConfig(other, large.config());
            assertThat(ModelFolder.open(other).fingerprint()).as(tensor.name()).isNotEqualTo(fingerprint);
        }
    }
}
