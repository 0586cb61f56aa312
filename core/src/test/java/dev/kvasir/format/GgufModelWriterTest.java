package dev.kvasir.format;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kvasir.InvalidInputException;
import dev.kvasir.cache.CacheSpec;
import dev.kvasir.cache.Caches;
import dev.kvasir.cache.KvCache;
import dev.kvasir.cache.PagePool;
import dev.kvasir.format.gguf.GgmlType;
import dev.kvasir.format.gguf.GgufFile;
import dev.kvasir.format.gguf.GgufPairs;
import dev.kvasir.format.gguf.GgufTensor;
import dev.kvasir.model.Decoder;
import dev.kvasir.model.Model;
import dev.kvasir.tensor.DType;
import dev.kvasir.tensor.Workers;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Random;
import java.util.stream.Stream;
import org.assertj.core.api.Assertions;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/** Every family that GGUF has, from a folder to a file and to logits again. */
class GgufModelWriterTest {
    private static final Workers WORKERS = Workers.of(2);
    private static final int TOKENS = 60;

    @TempDir
    private Path folder;

    /** Folders whose sizes are multiples of the packed types' blocks. */
    enum Family {
        LLAMA("llama", "'rope_theta':500000", 2),
        LLAMA_TIED("llama", "'tie_word_embeddings':true,'rope_scaling':{'rope_type':'linear','factor':4}", 2),
        MISTRAL("mistral", "'sliding_window':20", 2),
        QWEN2("qwen2", "'rope_theta':1000000", 2),
        QWEN3("qwen3", "'rope_theta':1000000,'head_dim':32,'tie_word_embeddings':true", 2),
        PHI3("phi3", "'sliding_window':23", 2),
        PHI3_LONG(
                "phi3",
                "'partial_rotary_factor':0.75,'original_max_position_embeddings':64,'rope_scaling':{'rope_type':'longrope',"
                        + "'short_factor':[1,1.1,1.2,1.3,1.4,1.5],'long_factor':[1,1.5,2,3,5,8]}",
                2),
        GEMMA2(
                "gemma2",
                "'sliding_window':17,'query_pre_attn_scalar':16,'tie_word_embeddings':true,"
                        + "'attn_logit_softcapping':5.0,'final_logit_softcapping':10.0",
                4),
        GEMMA3(
                "gemma3_text",
                "'sliding_window':21,'query_pre_attn_scalar':16,'rope_theta':1000000,'tie_word_embeddings':true,"
                        + "'rope_scaling':{'rope_type':'linear','factor':8}",
                7);

        // Nobody changes what is in it.
        @SuppressWarnings("ImmutableEnumChecker")
        private final FamilyFolder content;

        Family(String type, String fields, int layers) {
            content = of(type, fields, layers);
        }
    }

    private static FamilyFolder of(String type, String fields, int layers) {
        String json = "{'model_type':'" + type + "','hidden_size':64,"
                + (fields.contains("'intermediate_size'") ? "" : "'intermediate_size':96,") + fields + "}";
        return FamilyFolder.of(json.replace('\'', '"'), layers);
    }

    @AfterAll
    static void close() {
        WORKERS.close();
    }

    private Model written(Model model, DType type) throws IOException {
        Path path = folder.resolve(type + ".gguf");
        List<Long> reports = new ArrayList<>();
        GgufModelWriter.write(model, new GgufPairs(), type, path, WORKERS, (done, total) -> {
            assertThat(done).isBetween(0L, total);
            reports.add(done);
        });
        assertThat(reports).isSorted().endsWith(Files.size(path));
        return Models.open(path);
    }

    private static float[] logits(Model model) {
        int vocabulary = model.config().vocabularySize();
        int[] tokens = new Random(5).ints(TOKENS, 0, vocabulary).toArray();
        float[] logits = new float[TOKENS * vocabulary];
        try (PagePool pool = new PagePool(1L << 28);
                KvCache cache = Caches.create(CacheSpec.parse("exact(f32)"), model.cacheModel(), pool, WORKERS)) {
            new Decoder(model, WORKERS).forwardAll(cache, tokens, 0, TOKENS, logits);
        }
        return logits;
    }

    @ParameterizedTest
    @EnumSource
    void aFileInF32ComputesExactlyWhatTheFolderComputes(Family family) throws IOException {
        Model model = ModelFolder.open(family.content.write(folder));
        Model read = written(model, DType.F32);

        assertThat(logits(read)).isEqualTo(logits(model));
        assertThat(read.config().kinds().stream().map(kind -> kind.window()))
                .isEqualTo(model.config().kinds().stream()
                        .map(kind -> kind.window())
                        .toList());
        assertThat(read.config().arithmetic()).isEqualTo(model.config().arithmetic());
    }

    @ParameterizedTest
    @EnumSource
    void aQuantizedFileComputesExactlyWhatQuantizeOnLoadComputes(Family family) throws IOException {
        Model model = ModelFolder.open(family.content.write(folder));
        for (DType type : List.of(DType.Q8_0, DType.Q4_0)) {
            Model read = written(model, type);
            Model loaded = QuantizedModel.of(model, type, WORKERS, WeightProgress.none());

            assertThat(logits(read)).as(type.name()).isEqualTo(logits(loaded)).isNotEqualTo(logits(model));
            assertThat(loaded.weightBytes())
                    .isEqualTo(read.weightBytes() - factorBytes(folder.resolve(type + ".gguf")));
        }
    }

    private static long factorBytes(Path path) {
        return GgufFile.open(path).tensors().stream()
                .filter(tensor -> tensor.name().startsWith("rope_"))
                .mapToLong(GgufTensor::bytes)
                .sum();
    }

    /** The file has frequencies divided by floats, the folder a formula of doubles. */
    @ParameterizedTest
    @CsvSource({"llama3, low_freq_factor:1;high_freq_factor:4", "yarn, attention_factor:1.3"})
    void stretchedRotationsStayThemselves(String scaling, String fields) throws IOException {
        FamilyFolder content = of(
                "llama",
                "'rope_scaling':{'rope_type':'" + scaling + "','factor':8,'original_max_position_embeddings':64,"
                        + ("'" + fields).replace(";", ",'").replace(":", "':") + "}",
                2);
        Model model = ModelFolder.open(content.write(folder));
        float[] expected = logits(model);
        float[] found = logits(written(model, DType.F32));
        for (int i = 0; i < found.length; i++) {
            assertThat(found[i]).isCloseTo(expected[i], Assertions.within(1e-4f));
        }
    }

    /** Every type, and from file to file: what is of the type wanted stays as it is, bit by bit. */
    @Test
    void aFileOfAFileOfTheSameTypeHoldsTheSameTensors() throws IOException {
        Model model = ModelFolder.open(Family.LLAMA.content.write(folder));
        for (DType type : WeightTypes.all()) {
            Model once = written(model, type);
            Path again = folder.resolve("again.gguf");
            GgufModelWriter.write(once, new GgufPairs(), type, again, WORKERS, WeightProgress.none());
            GgufFile first = GgufFile.open(folder.resolve(type + ".gguf"));
            GgufFile second = GgufFile.open(again);
            assertThat(second.tensors()).isEqualTo(first.tensors());
            for (GgufTensor tensor : first.tensors()) {
                assertThat(second.bytes(tensor).mismatch(first.bytes(tensor)))
                        .as(tensor.name())
                        .isEqualTo(-1);
                assertThat(tensor.offset() % 32).isZero();
            }
        }
    }

    @Test
    void normsStayInF32AndLogitsKeepEightBits() throws IOException {
        written(ModelFolder.open(Family.LLAMA.content.write(folder)), DType.Q4_0);
        GgufFile untied = GgufFile.open(folder.resolve("Q4_0.gguf"));
        assertThat(untied.tensor("output.weight").type()).isEqualTo(GgmlType.Q8_0);
        assertThat(untied.tensor("token_embd.weight").type()).isEqualTo(GgmlType.Q4_0);
        assertThat(untied.tensor("blk.1.ffn_down.weight").type()).isEqualTo(GgmlType.Q4_0);
        assertThat(untied.tensor("blk.0.attn_norm.weight").type()).isEqualTo(GgmlType.F32);

        written(ModelFolder.open(Family.QWEN3.content.write(folder.resolve("tied"))), DType.Q4_0);
        GgufFile tied = GgufFile.open(folder.resolve("Q4_0.gguf"));
        assertThat(tied.find("output.weight")).isEmpty();
        assertThat(tied.tensor("token_embd.weight").type()).isEqualTo(GgmlType.Q8_0);
        assertThat(tied.tensor("blk.0.attn_q_norm.weight").type()).isEqualTo(GgmlType.F32);
    }

    @Test
    void whatGgufCannotSayIsRefusedAndLeavesNoFile() throws IOException {
        assertRefused(of("smollm3", "'rope_theta':2000000", 5), DType.F32, "models of the family smollm3 cannot");
        assertRefused(
                of("qwen2", "'use_sliding_window':true,'sliding_window':33,'max_window_layers':1", 3),
                DType.F32,
                "layer 1 has another window or rotation than layers of qwen2");
        assertRefused(
                of("gemma2", "'sliding_window':17,'query_pre_attn_scalar':24", 2),
                DType.F32,
                "GGUF files of gemma2 cannot say the model's Arithmetic[");
        assertRefused(
                of("llama", "'intermediate_size':80", 1),
                DType.Q4_0,
                "tensor blk.0.ffn_down.weight has rows of 80 numbers, Q4_0 needs a multiple of 32");
        assertRefused(
                of("llama", "'rope_theta':10000", 1), DType.Q4_K, "weights cannot be made Q4_K, allowed are [F32, ");
    }

    private void assertRefused(FamilyFolder content, DType type, String message) throws IOException {
        Path place = Files.createDirectories(folder.resolve("out"));
        Path model = Files.createTempDirectory(folder, "model");
        Model opened = ModelFolder.open(content.write(model));
        assertThatThrownBy(() -> GgufModelWriter.write(
                        opened, new GgufPairs(), type, place.resolve("x.gguf"), WORKERS, WeightProgress.none()))
                .isInstanceOf(InvalidInputException.class)
                .hasMessageContaining(message);
        try (Stream<Path> left = Files.list(place)) {
            assertThat(left).isEmpty();
        }
    }

    /** A number that a type cannot hold is found only while the file is written. */
    @Test
    void aFailureHalfWayLeavesTheOldFile() throws IOException {
        FamilyFolder content = of("llama", "'rope_theta':10000", 1);
        Objects.requireNonNull(content.tensors().get("model.layers.0.mlp.down_proj.weight"))[7] = 1e6f;
        Model model = ModelFolder.open(content.write(folder.resolve("hf")));
        Path place = Files.createDirectories(folder.resolve("out"));
        Path old = Files.writeString(place.resolve("x.gguf"), "old");
        assertThatThrownBy(() ->
                        GgufModelWriter.write(model, new GgufPairs(), DType.F16, old, WORKERS, WeightProgress.none()))
                .isInstanceOf(InvalidInputException.class)
                .hasMessageContaining(
                        "tensor blk.0.ffn_down.weight has the number 1000000.0, F16 reaches to 65504: choose F32 or BF16");
        assertThat(old).hasContent("old");
        try (Stream<Path> left = Files.list(place)) {
            assertThat(left).containsExactly(old);
        }
    }
}
