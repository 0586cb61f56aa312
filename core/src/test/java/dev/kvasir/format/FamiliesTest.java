package dev.kvasir.format;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kvasir.KvasirException;
import dev.kvasir.cache.CacheSpec;
import dev.kvasir.cache.Caches;
import dev.kvasir.cache.KvCache;
import dev.kvasir.cache.PagePool;
import dev.kvasir.model.Decoder;
import dev.kvasir.model.Model;
import dev.kvasir.tensor.Workers;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Every family, from its folder to its logits, against {@link FamilyReference}. */
class FamiliesTest {
    private static final Workers WORKERS = Workers.of(2);
    /** Longer than every window below, and than a tile of attention. */
    private static final int TOKENS = 150;
    /** Settings that keep every token nearly as it was, some of them in layers that could drop, choose or reorder tokens. */
    private static final List<String> FINE = List.of(
            "exact(f16)",
            "block(q8_0)",
            "kivi(bits=8, group=32, residual=32)",
            "h2o(budget=160)",
            "tova(budget=160)",
            "quest(dense=0, budget=160)",
            "lambda(sinks=4, window=200, store=exact(f16))");

    @TempDir
    private Path folder;

    /** Folders that differ in what their families differ in. */
    enum Small {
        LLAMA_3_1(
                "{'model_type':'llama','rope_theta':500000,'rope_scaling':{'rope_type':'llama3','factor':8,"
                        + "'low_freq_factor':1,'high_freq_factor':4,'original_max_position_embeddings':64}}",
                2),
        LLAMA_LINEAR("{'model_type':'llama','rope_scaling':{'rope_type':'linear','factor':4}}", 2),
        LLAMA_YARN(
                "{'model_type':'llama','rope_scaling':{'rope_type':'yarn','factor':4,"
                        + "'original_max_position_embeddings':64}}",
                2),
        MISTRAL("{'model_type':'mistral','sliding_window':40}", 2),
        QWEN_2("{'model_type':'qwen2','rope_theta':1000000}", 2),
        QWEN_2_WINDOWED(
                "{'model_type':'qwen2','use_sliding_window':true,'sliding_window':33,'max_window_layers':1}", 3),
        QWEN_3("{'model_type':'qwen3','rope_theta':1000000,'head_dim':32,'tie_word_embeddings':true}", 2),
        QWEN_3_YARN(
                "{'model_type':'qwen3','rope_scaling':{'rope_type':'yarn','factor':4,'attention_factor':1.3,"
                        + "'original_max_position_embeddings':64}}",
                2),
        PHI_3("{'model_type':'phi3','sliding_window':47}", 2),
        PHI_3_LONG(
                "{'model_type':'phi3','partial_rotary_factor':0.75,'original_max_position_embeddings':64,"
                        + "'rope_scaling':{'rope_type':'longrope','short_factor':[1,1.1,1.2,1.3,1.4,1.5],"
                        + "'long_factor':[1,1.5,2,3,5,8]}}",
                2),
        GEMMA_2(
                "{'model_type':'gemma2','sliding_window':37,'query_pre_attn_scalar':24,'tie_word_embeddings':true,"
                        + "'attn_logit_softcapping':5.0,'final_logit_softcapping':10.0}",
                4),
        GEMMA_3(
                "{'model_type':'gemma3_text','sliding_window':21,'query_pre_attn_scalar':16,'rope_theta':1000000,"
                        + "'tie_word_embeddings':true,'rope_scaling':{'rope_type':'linear','factor':8}}",
                7),
        SMOLLM_3("{'model_type':'smollm3','rope_theta':2000000}", 5);

        // Nobody changes what is in them.
        @SuppressWarnings("ImmutableEnumChecker")
        final FamilyFolder content;

        /** The same with heads as wide as every method can pack. */
        @SuppressWarnings("ImmutableEnumChecker")
        final FamilyFolder wide;

        Small(String fields, int layers) {
            String json = fields.replace('\'', '"');
            content = FamilyFolder.of(json, layers);
            wide = FamilyFolder.of(widened(json), layers);
        }

        private static String widened(String json) {
            return json.replace("[1,1.1,1.2,1.3,1.4,1.5]", divisors(0.02))
                    .replace("[1,1.5,2,3,5,8]", divisors(0.3))
                    .replace(",\"head_dim\":32", "")
                    .replaceFirst("[{]", "{\"head_dim\":64,");
        }

        /** For three quarters of 64 channels. */
        private static String divisors(double slope) {
            return IntStream.range(0, 24)
                    .mapToObj(i -> String.valueOf(1 + slope * i))
                    .toList()
                    .toString();
        }

        int[] tokens() {
            return new Random(name().hashCode()).ints(TOKENS, 0, 101).toArray();
        }
    }

    @AfterAll
    static void close() {
        WORKERS.close();
    }

    @ParameterizedTest
    @EnumSource
    void agreesWithThePublishedArithmeticInEveryStepSize(Small small) throws IOException {
        Model model = ModelFolder.open(small.content.write(folder));
        double[][] expected = new FamilyReference(small.content).logits(small.tokens());
        for (int step : new int[] {TOKENS, 64, 7, 1}) {
            assertClose(run(model, "exact(f32)", small.tokens(), step), expected, 1e-4, small + " in steps of " + step);
        }
    }

    /** Methods that need something made beforehand are refused for want of it, others may be by a reason; the rest must work. */
    @ParameterizedTest
    @EnumSource
    void everyMethodThatTakesTheModelGivesFiniteLogits(Small small) throws IOException {
        Model model = ModelFolder.open(small.wide.write(folder));
        List<String> ran = new ArrayList<>();
        List<String> refused = new ArrayList<>();
        for (String method : Caches.methods()) {
            try {
                float[] logits = run(model, method, small.tokens(), 50);
                for (float logit : logits) {
                    assertThat(logit).as("%s of %s", method, small).isFinite();
                }
                ran.add(method);
            } catch (KvasirException e) {
                refused.add(method + ": " + e.getMessage());
            }
        }
        assertThat(ran)
                .as(small.toString())
                .contains("exact", "kivi", "block", "gear", "bfp", "turboquant", "saq", "vidkv", "quest", "h2o")
                .contains("snapkv", "scissorhands", "pyramidkv", "tova", "kvcrush");
        assertThat(refused).as(small.toString()).allMatch(FamiliesTest::isReason);
    }

    @ParameterizedTest
    @EnumSource
    void finelyQuantizedCachesStayClose(Small small) throws IOException {
        Model model = ModelFolder.open(small.wide.write(folder));
        double[][] expected = new FamilyReference(small.wide).logits(small.tokens());
        for (String spec : FINE) {
            assertClose(run(model, spec, small.tokens(), 30), expected, 0.1, small + " " + spec);
        }
    }

    /** What keeps a method from a model of a family, or any model of this size without calibrations. */
    private static boolean isReason(String refusal) {
        return Stream.of(
                        "none comes with this model",
                        "the model was trained on",
                        "so that no distance is above 256",
                        "in an order of its own and cannot serve layer",
                        "whose layers are rotated differently",
                        "whose keys have a bias",
                        "whose keys are normed head by head",
                        "rows are not in halves of whole heads")
                .anyMatch(refusal::contains);
    }

    private static float[] run(Model model, String spec, int[] tokens, int step) {
        int vocabulary = model.config().vocabularySize();
        float[] all = new float[tokens.length * vocabulary];
        try (PagePool pool = new PagePool(1L << 30);
                KvCache cache = Caches.create(CacheSpec.parse(spec), model.cacheModel(), pool, WORKERS)) {
            Decoder decoder = new Decoder(model, WORKERS);
            for (int from = 0; from < tokens.length; from += step) {
                int count = Math.min(step, tokens.length - from);
                float[] logits = new float[count * vocabulary];
                decoder.forwardAll(cache, tokens, from, count, logits);
                System.arraycopy(logits, 0, all, from * vocabulary, logits.length);
            }
        }
        return all;
    }

    /** Differences are measured against the spread of the logits. */
    private static void assertClose(float[] logits, double[][] expected, double tolerance, String what) {
        double largest = Arrays.stream(expected)
                .flatMapToDouble(Arrays::stream)
                .map(Math::abs)
                .max()
                .orElseThrow();
        double worst = 0;
        for (int t = 0; t < expected.length; t++) {
            for (int i = 0; i < expected[t].length; i++) {
                double difference = Math.abs(logits[t * expected[t].length + i] - expected[t][i]);
                worst = Math.max(worst, Double.isNaN(difference) ? Double.MAX_VALUE : difference);
            }
        }
        assertThat(worst / largest).as(what).isLessThan(tolerance);
    }
}
