package dev.kvasir.format;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kvasir.InvalidFileException;
import dev.kvasir.cache.CacheSpec;
import dev.kvasir.cache.Caches;
import dev.kvasir.cache.KvCache;
import dev.kvasir.cache.PagePool;
import dev.kvasir.format.gguf.TestGguf;
import dev.kvasir.model.Decoder;
import dev.kvasir.model.Model;
import dev.kvasir.tensor.Workers;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

class GgufModelTest {
    private static final TestFolders TINY = TestFolders.TINY;

    @TempDir
    private Path folder;

    private static TestGguf metadata(String architecture) {
        return new TestGguf()
                .text("general.architecture", architecture)
                .u32(architecture + ".embedding_length", TINY.hidden())
                .u32(architecture + ".feed_forward_length", TINY.intermediate())
                .u32(architecture + ".block_count", TINY.layers())
                .u32(architecture + ".context_length", 256)
                .u32(architecture + ".attention.head_count", TINY.heads())
                .u32(architecture + ".attention.head_count_kv", TINY.kvHeads())
                .u32(architecture + ".attention.key_length", TINY.headDim())
                .f32(architecture + ".attention.layer_norm_rms_epsilon", 1e-6f)
                .u32("tokenizer.ggml.bos_token_id", 1)
                .bool("tokenizer.ggml.add_bos_token", true)
                .u32("tokenizer.ggml.eos_token_id", 2);
    }

    /** The names of llama.cpp, by rules of its converter. */
    private static String name(String huggingFace) {
        return huggingFace
                .replace("model.embed_tokens", "token_embd")
                .replace("model.norm", "output_norm")
                .replace("lm_head", "output")
                .replace("model.layers.", "blk.")
                .replace("input_layernorm", "attn_norm")
                .replace("post_attention_layernorm", "ffn_norm")
                .replace("self_attn.q_proj", "attn_q")
                .replace("self_attn.k_proj", "attn_k")
                .replace("self_attn.v_proj", "attn_v")
                .replace("self_attn.o_proj", "attn_output")
                .replace("mlp.gate_proj", "ffn_gate")
                .replace("mlp.up_proj", "ffn_up")
                .replace("mlp.down_proj", "ffn_down");
    }

    private static void addTensors(TestGguf file, TestFolders shape, boolean adjacentPairs) {
        for (TensorInfo tensor : shape.tensors()) {
            byte[] bytes = TestFolders.values(tensor).array();
            boolean turned = tensor.name().contains("q_proj") || tensor.name().contains("k_proj");
            int id = switch (tensor.type()) {
                case F32 -> 0;
                case F16 -> 1;
                default -> 30;
            };
            long[] columnsFirst =
                    tensor.shape().reversed().stream().mapToLong(d -> d).toArray();
            file.tensor(
                    name(tensor.name()), id, turned && adjacentPairs ? adjacent(bytes, tensor) : bytes, columnsFirst);
        }
    }

    /** Row 2i of a head is row i of the halves, row 2i + 1 is row i + headDim / 2. */
    private static byte[] adjacent(byte[] bytes, TensorInfo tensor) {
        int rows = tensor.shape().getFirst().intValue();
        int rowBytes = bytes.length / rows;
        int headDim = TINY.headDim();
        byte[] moved = new byte[bytes.length];
        for (int row = 0; row < rows; row++) {
            int within = row % headDim;
            int from = row - within + (within % 2 == 0 ? within / 2 : within / 2 + headDim / 2);
            System.arraycopy(bytes, from * rowBytes, moved, row * rowBytes, rowBytes);
        }
        return moved;
    }

    private Path llama(TestFolders shape, UnaryOperator<TestGguf> more) throws IOException {
        TestGguf file = more.apply(metadata("llama"));
        addTensors(file, shape, true);
        return file.write(folder.resolve("model.gguf"));
    }

    static float[] logits(Model model, String cache) {
        int[] tokens = {1, 40, 7, 299, 80, 80, 3, 12, 100, 200, 17, 5};
        float[] logits = new float[tokens.length * model.config().vocabularySize()];
        try (Workers workers = Workers.of(1);
                PagePool pool = new PagePool(1 << 26);
                KvCache held = Caches.create(CacheSpec.parse(cache), model.cacheModel(), pool, workers)) {
            new Decoder(model, workers).forwardAll(held, tokens, 0, tokens.length, logits);
        }
        return logits;
    }

    @ParameterizedTest
    @EnumSource(names = {"F32", "F16", "BF16"})
    void computesExactlyWhatTheFolderComputes(ElementType type) throws IOException {
        TestFolders shape = TINY.with(type).untied();
        Model original = ModelFolder.open(shape.write(folder.resolve("hf")));
        Model model = Models.open(llama(shape, file -> file));

        assertThat(logits(model, "exact")).isEqualTo(logits(original, "exact"));
        assertThat(model.weights().layers().getFirst().k().data().isMapped()).isTrue();
        assertThat(model.config().bosToken()).hasValue(1);
        assertThat(model.config().eosTokens()).containsExactly(2);
        assertThat(model.name()).isEqualTo("model");
    }

    @Test
    void givesCachesTheKeyRowsInHalves() throws IOException {
        Model original = ModelFolder.open(TINY.write(folder.resolve("hf")));
        Model model = Models.open(llama(TINY, file -> file));

        for (int layer = 0; layer < TINY.layers(); layer++) {
            var found = model.cacheModel().projections().keys(layer);
            assertThat(found.data()
                            .mismatch(original.weights().layers().get(layer).k().data()))
                    .isEqualTo(-1);
        }
    }

    @Test
    void dividesFrequenciesByTheFileFactors() throws IOException {
        Model model = Models.open(
                llama(TINY, file -> file.tensor(GgufWeights.FREQUENCY_FACTORS, 0, TestGguf.f32(1, 2, 8), 3)));
        Model plain = Models.open(llama(TINY, file -> file));

        double[] stretched = model.config().rotaryFrequencies(0);
        double[] usual = plain.config().rotaryFrequencies(0);
        assertThat(stretched).containsExactly(usual[0], usual[1] / 2, usual[2] / 8);
        assertThat(model.fingerprint()).isNotEqualTo(plain.fingerprint());
    }

    @ParameterizedTest
    @CsvSource({
        "linear, Linear[factor=4.0]",
        "yarn, 'Yarn[factor=4.0, betaFast=32.0, betaSlow=1.0, originalContextLength=64'",
    })
    void readsRopeScaling(String type, String expected) throws IOException {
        Model model = Models.open(llama(
                TINY,
                file -> file.text("llama.rope.scaling.type", type)
                        .f32("llama.rope.scaling.factor", 4)
                        .u32("llama.rope.scaling.original_context_length", 64)));
        assertThat(model.config().rotary(0).scaling().toString()).startsWith(expected);
    }

    @Test
    void readsPhi3WhoseMatricesAreFused() throws IOException {
        Path path = folder.resolve("phi.gguf");
        TestGguf file = metadata("phi3").u32("phi3.attention.sliding_window", 5);
        for (TensorInfo tensor : TINY.tensors()) {
            byte[] bytes = TestFolders.values(tensor).array();
            String name = name(tensor.name());
            long[] columnsFirst =
                    tensor.shape().reversed().stream().mapToLong(d -> d).toArray();
            if (name.endsWith("attn_q.weight")) {
                long rows = (TINY.heads() + 2L * TINY.kvHeads()) * TINY.headDim();
                file.tensor(
                        name.replace("attn_q", "attn_qkv"),
                        30,
                        joined(tensor, "q_proj", "k_proj", "v_proj"),
                        TINY.hidden(),
                        rows);
            } else if (name.endsWith("ffn_gate.weight")) {
                file.tensor(
                        name.replace("ffn_gate", "ffn_up"),
                        30,
                        joined(tensor, "gate_proj", "up_proj"),
                        TINY.hidden(),
                        2L * TINY.intermediate());
            } else if (!name.contains("attn_k") && !name.contains("attn_v") && !name.contains("ffn_up")) {
                file.tensor(name, 30, bytes, columnsFirst);
            }
        }
        Model original = ModelFolder.open(TINY.write(folder.resolve("hf")));
        Model model = Models.open(file.write(path));

        assertThat(model.config().kinds())
                .allSatisfy(kind -> assertThat(kind.window()).hasValue(5));
        for (int layer = 0; layer < TINY.layers(); layer++) {
            var found = model.weights().layers().get(layer);
            var expected = original.weights().layers().get(layer);
            assertThat(found.k().data().mismatch(expected.k().data())).isEqualTo(-1);
            assertThat(found.v().data().mismatch(expected.v().data())).isEqualTo(-1);
            assertThat(found.up().data().mismatch(expected.up().data())).isEqualTo(-1);
        }
    }

    private static byte[] joined(TensorInfo first, String own, String... others) {
        List<String> names = new java.util.ArrayList<>(List.of(own));
        names.addAll(List.of(others));
        TestGguf.Bytes bytes = new TestGguf.Bytes();
        for (String name : names) {
            String wanted = first.name().replace(own, name);
            bytes.raw(TestFolders.values(TINY.tensors().stream()
                            .filter(t -> t.name().equals(wanted))
                            .findFirst()
                            .orElseThrow())
                    .array());
        }
        return bytes.toArray();
    }

    @Test
    void readsBiasesOfQwen2() throws IOException {
        TestGguf file = metadata("qwen2");
        addTensors(file, TINY, false);
        float[] bias = new float[TINY.kvHeads() * TINY.headDim()];
        bias[3] = 0.5f;
        for (int i = 0; i < TINY.layers(); i++) {
            file.tensor("blk." + i + ".attn_k.bias", 0, TestGguf.f32(bias), bias.length);
        }
        Model model = Models.open(file.write(folder.resolve("qwen.gguf")));
        assertThat(model.weights().layers().getLast().extras().keyBias()).containsExactly(bias);
    }

    @Test
    void alternatesWindowsAsGemmaDoes() throws IOException {
        TestGguf file = metadata("gemma2")
                .u32("gemma2.attention.sliding_window", 7)
                .f32("gemma2.attn_logit_softcapping", 50)
                .f32("gemma2.final_logit_softcapping", 30);
        addTensors(file, TINY, false);
        var config = Models.open(file.write(folder.resolve("gemma.gguf"))).config();

        assertThat(config.kinds().get(0).window()).hasValue(7);
        assertThat(config.kinds().get(1).window()).isEmpty();
        assertThat(config.arithmetic().scoreCap()).isEqualTo(50);
        assertThat(config.arithmetic().logitCap()).isEqualTo(30);
        assertThat(config.arithmetic().embeddingScale()).isEqualTo((float) Math.sqrt(TINY.hidden()));
    }

    @Test
    void saysWhatIsWrongInOneLine() throws IOException {
        assertRefused(new TestGguf().toBytes(), "metadata general.architecture is missing");
        assertRefused(metadata("bert").toBytes(), "general.architecture must be one of [llama, ");
        assertRefused(metadata("llama").toBytes(), "tensor token_embd.weight is missing");
        assertRefused(
                Files.readAllBytes(llama(TINY, file -> file.info("blk.2.attn_q.weight", 0, 1 << 20, 1))), "truncated");
        assertRefused(
                Files.readAllBytes(llama(TINY, file -> file.tensor("blk.7.extra.weight", 0, TestGguf.f32(1), 1))),
                "tensor blk.7.extra.weight is not part of a model of 2 layers of architecture llama");
        assertRefused(
                Files.readAllBytes(llama(TINY, file -> file.u32("llama.expert_count", 8))),
                "mixtures of experts are not supported");
        assertRefused(Files.readAllBytes(llama(TINY, file -> file.u32("split.count", 3))), "merge the parts");
    }

    @ParameterizedTest
    @ValueSource(strings = {"embedding_length", "block_count", "context_length", "attention.head_count"})
    void boundsEverySize(String key) throws IOException {
        for (int value : new int[] {0, -1, Integer.MAX_VALUE}) {
            TestGguf file = new TestGguf().text("general.architecture", "llama");
            for (String name : List.of(
                    "embedding_length",
                    "feed_forward_length",
                    "block_count",
                    "context_length",
                    "attention.head_count")) {
                file.u32("llama." + name, name.equals(key) ? value : 4);
            }
            file.f32("llama.attention.layer_norm_rms_epsilon", 1e-5f);
            file.tensor("token_embd.weight", 0, TestGguf.f32(1, 2, 3, 4), 4, 1);
            assertRefused(file.toBytes(), "metadata llama." + key + " must be an integer from 1");
        }
    }

    private void assertRefused(byte[] bytes, String message) throws IOException {
        Path path = Files.write(folder.resolve("bad.gguf"), bytes);
        assertThatThrownBy(() -> Models.open(path))
                .isInstanceOf(InvalidFileException.class)
                .hasMessageStartingWith(path + ": ")
                .hasMessageContaining(message)
                .satisfies(e -> assertThat(e).message().doesNotContain("\n"));
    }
}
