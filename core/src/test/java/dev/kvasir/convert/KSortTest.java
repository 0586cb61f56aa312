package dev.kvasir.convert;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kvasir.InvalidFileException;
import dev.kvasir.InvalidInputException;
import dev.kvasir.cache.CacheSpec;
import dev.kvasir.cache.Caches;
import dev.kvasir.cache.Calibration;
import dev.kvasir.cache.Calibrator;
import dev.kvasir.cache.KvCache;
import dev.kvasir.cache.PagePool;
import dev.kvasir.cache.Queries;
import dev.kvasir.cache.TokenStates;
import dev.kvasir.engine.CalibrationRun;
import dev.kvasir.engine.SensitivitySource;
import dev.kvasir.format.ElementType;
import dev.kvasir.format.JsonFile;
import dev.kvasir.format.ModelCopy;
import dev.kvasir.format.ModelFolder;
import dev.kvasir.format.SafetensorsFile;
import dev.kvasir.format.SafetensorsWriter;
import dev.kvasir.format.TensorInfo;
import dev.kvasir.format.TestFolders;
import dev.kvasir.model.Decoder;
import dev.kvasir.model.Model;
import dev.kvasir.model.TestModels;
import dev.kvasir.model.Weights;
import dev.kvasir.tensor.Matrix;
import dev.kvasir.tensor.RotaryOrder;
import dev.kvasir.tensor.Workers;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.SplittableRandom;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.assertj.core.data.Offset;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import tools.jackson.databind.node.ObjectNode;

class KSortTest {
    @TempDir
    private Path folder;

    private static TestFolders kind(int heads, int kvHeads, int headDim, ElementType type) {
        return new TestFolders(24, 40, 2, heads, kvHeads, headDim, 61, true, type);
    }

    private static final TestFolders GROUPED = kind(6, 2, 24, ElementType.F32);

    static Stream<Arguments> shapes() {
        return Stream.of(
                Arguments.of(GROUPED, 8),
                Arguments.of(kind(4, 4, 16, ElementType.F32), 2),
                Arguments.of(kind(4, 1, 64, ElementType.BF16), 32),
                Arguments.of(kind(2, 2, 96, ElementType.F16), 16));
    }

    private Path original(TestFolders kind) throws IOException {
        Path path = kind.write(folder.resolve("original"));
        widenNorms(path.resolve("model.safetensors"));
        Files.writeString(path.resolve("README.md"), "---\nlicense: mit\n---\n# Card\n");
        return path;
    }

    /** Gains of 1 and 2 by turns, so that queries are large enough for attention to choose. */
    private static void widenNorms(Path weights) throws IOException {
        SafetensorsFile file = SafetensorsFile.open(weights);
        try (SafetensorsWriter writer = SafetensorsWriter.create(weights, file.tensors(), Map.of())) {
            for (TensorInfo info : file.tensors()) {
                if (info.shape().size() > 1) {
                    writer.write(file.bytes(info.name()));
                    continue;
                }
                ByteBuffer gains = ByteBuffer.allocate((int) info.bytes()).order(ByteOrder.LITTLE_ENDIAN);
                for (int i = 0; gains.hasRemaining(); i++) {
                    float gain = 1 + i % 2;
                    switch (info.type()) {
                        case F32 -> gains.putFloat(gain);
                        case F16 -> gains.putShort(Float.floatToFloat16(gain));
                        default -> gains.putShort((short) (Float.floatToRawIntBits(gain) >>> 16));
                    }
                }
                writer.write(gains.flip());
            }
            writer.commit();
        }
    }

    @Test
    void weightScoresAreRowNormsWithTheGainFoldedIn() throws IOException {
        Model model = ModelFolder.open(original(GROUPED));
        Matrix k = model.weights().layers().get(1).k();
        float[][] scores = KSort.weightScores(model);

        for (int row = 0; row < 48; row++) {
            double sum = 0;
            for (int c = 0; c < 24; c++) {
                sum += Math.pow(TestModels.element(k, row, c) * (1 + c % 2), 2);
            }
            assertThat(scores[1][row]).isCloseTo((float) Math.sqrt(sum), Offset.offset(1e-5f));
        }
    }

    private Path convert(Path from, int block) throws IOException {
        Model model = ModelFolder.open(from);
        Path to = folder.resolve("converted");
        KSort.convert(from, model, to, KSort.orders(model.config(), block, KSort.weightScores(model)));
        return to;
    }

    private static float[] logits(Model model, int chunk) {
        int[] tokens = new SplittableRandom(9)
                .ints(40, 0, model.config().vocabularySize())
                .toArray();
        int vocabulary = model.config().vocabularySize();
        float[] all = new float[tokens.length * vocabulary];
        try (Workers workers = Workers.of(2);
                PagePool pool = new PagePool(1 << 24);
                KvCache cache = Caches.create(CacheSpec.parse("exact(dtype=f32)"), model.cacheModel(), pool, workers)) {
            Decoder decoder = new Decoder(model, workers);
            for (int from = 0; from < tokens.length; from += chunk) {
                float[] part = new float[chunk * vocabulary];
                decoder.forwardAll(cache, tokens, from, chunk, part);
                System.arraycopy(part, 0, all, from * vocabulary, part.length);
            }
        }
        return all;
    }

    private static double relativeError(float[] expected, float[] found) {
        double largest = 0;
        double error = 0;
        for (int i = 0; i < expected.length; i++) {
            largest = Math.max(largest, Math.abs(expected[i]));
            error = Math.max(error, Math.abs(expected[i] - found[i]));
        }
        return error / largest;
    }

    @ParameterizedTest
    @MethodSource("shapes")
    void convertedModelGivesTheSameLogits(TestFolders kind, int block) throws IOException {
        Path from = original(kind);
        Model converted = ModelFolder.open(convert(from, block));
        Model model = ModelFolder.open(from);

        assertThat(converted.config().ropeBlock()).contains(block);
        assertThat(converted.fingerprint()).isNotEqualTo(model.fingerprint());
        assertThat(relativeError(logits(model, 40), logits(converted, 40))).isLessThan(1e-5);
        assertThat(relativeError(logits(model, 40), logits(converted, 4))).isLessThan(1e-5);
        for (int layer = 0; layer < model.config().layers(); layer++) {
            RotaryOrder order =
                    converted.weights().layers().get(layer).rotaryOrder().orElseThrow();
            assertThat(IntStream.range(0, order.kvHeads()).anyMatch(h -> !isSorted(order.pairs(h))))
                    .as("an order that is worth the test")
                    .isTrue();
        }
    }

    private static boolean isSorted(int[] pairs) {
        return IntStream.range(1, pairs.length).allMatch(i -> pairs[i - 1] < pairs[i]);
    }

    @Test
    void shardedModelConvertsToShards() throws IOException {
        Path from = folder.resolve("original");
        GROUPED.writeSharded(from);
        Path to = convert(from, 12);

        assertThat(to.resolve("model.safetensors.index.json")).isRegularFile();
        assertThat(relativeError(logits(ModelFolder.open(from), 40), logits(ModelFolder.open(to), 40)))
                .isLessThan(1e-5);
    }

    @Test
    void orderOfAnotherLayerChangesTheLogits() throws IOException {
        Path from = original(GROUPED);
        Model model = ModelFolder.open(from);
        Model converted = ModelFolder.open(convert(from, 8));
        List<Weights.Layer> layers = new ArrayList<>();
        for (int i = 0; i < 2; i++) {
            Weights.Layer layer = converted.weights().layers().get(i);
            layers.add(new Weights.Layer(
                    layer.attentionNorm(),
                    layer.q(),
                    layer.k(),
                    layer.v(),
                    layer.attentionOutput(),
                    layer.mlpNorm(),
                    layer.gate(),
                    layer.up(),
                    layer.down(),
                    converted.weights().layers().get(1 - i).rotaryOrder(),
                    Weights.Extras.NONE));
        }
        Model swapped = new Model(
                "swapped",
                converted.config(),
                new Weights(
                        converted.weights().embedding(),
                        layers,
                        converted.weights().finalNorm(),
                        converted.weights().output()),
                "s",
                1);

        assertThat(relativeError(logits(model, 40), logits(swapped, 40))).isGreaterThan(1e-2);
    }

    @Test
    void rowsPermutedWithoutTheirPairsChangeTheLogits() throws IOException {
        // Keys and queries agree on the channels, but pairs are torn: only RoPE can tell.
        Path from = original(GROUPED);
        Path torn = convert(from, 8);
        ObjectNode config = (ObjectNode) JsonFile.readObject(torn.resolve("config.json"), 1 << 20);
        config.put("kvasir_rope_block", 12);
        TestFolders.writeConfig(torn, config);

        assertThat(relativeError(logits(ModelFolder.open(from), 40), logits(ModelFolder.open(torn), 40)))
                .isGreaterThan(1e-2);
    }

    @Test
    void largestPairsShareTheFirstBlock() throws IOException {
        Model model = ModelFolder.open(original(GROUPED));
        float[][] scores = KSort.weightScores(model);
        // Pairs 3 and 7 of head 1, layer 0 are made large; pair 7 in its second channel alone.
        scores[0][24 + 3] = 50;
        scores[0][24 + 12 + 7] = 80;
        RotaryOrder order = KSort.orders(model.config(), 4, scores).getFirst();

        assertThat(Arrays.copyOf(order.pairs(1), 2)).containsExactly(7, 3);
        assertThat(Arrays.copyOf(order.channels(1), 4)).containsExactly(7, 3, 19, 15);
        int[] rest = order.pairs(1);
        for (int i = 3; i < rest.length; i++) {
            assertThat(pairScore(scores[0], 24, rest[i])).isLessThanOrEqualTo(pairScore(scores[0], 24, rest[i - 1]));
        }
    }

    private static double pairScore(float[] scores, int from, int pair) {
        return Math.hypot(scores[from + pair], scores[from + 12 + pair]);
    }

    @Test
    void equalPairsKeepTheirOrder() throws IOException {
        Model model = ModelFolder.open(original(GROUPED));
        float[][] flat = new float[2][2 * 24];
        RotaryOrder order = KSort.orders(model.config(), 8, flat).getFirst();

        assertThat(order.pairs(0)).containsExactly(IntStream.range(0, 12).toArray());
    }

    @Test
    void textScoresAreTheRmsOfTheKeys() throws IOException {
        Model model = ModelFolder.open(original(GROUPED));
        int[] tokens = new SplittableRandom(1).ints(50, 0, 61).toArray();
        double[][] squares = new double[2][48];
        KeyPower watched = new KeyPower(model.config().cacheShape(), model.fingerprint());
        float[][] scores;
        try (Workers workers = Workers.of(1);
                PagePool pool = new PagePool(1 << 22)) {
            CalibrationRun run = new CalibrationRun(model, pool, workers);
            scores = KSort.textScores(
                    run.run(watched, List.of(tokens, tokens), SensitivitySource.NONE, CalibrationRun.Listener.NONE),
                    model.config());
            run.run(
                    new Calibrator() {
                        @Override
                        public void see(int layer, TokenStates states, Queries queries, Sensitivity sensitivity) {
                            for (int i = 0; i < 50 * 48; i++) {
                                squares[layer][i % 48] += Math.pow(states.keys()[i], 2) / 50;
                            }
                        }

                        @Override
                        public Calibration finish() {
                            return new Calibration("", Map.of(), "", Map.of());
                        }
                    },
                    List.of(tokens),
                    SensitivitySource.NONE,
                    CalibrationRun.Listener.NONE);
        }
        for (int layer = 0; layer < 2; layer++) {
            for (int c = 0; c < 48; c++) {
                assertThat(scores[layer][c]).isCloseTo((float) Math.sqrt(squares[layer][c]), Offset.offset(1e-5f));
            }
        }
    }

    @Test
    void everythingButWeightsGoesAlong() throws IOException {
        Path from = original(GROUPED);
        Files.writeString(from.resolve("tokenizer.json"), "{}");
        Files.writeString(from.resolve("LICENSE"), "free");
        Files.writeString(from.resolve("pytorch_model.bin"), "old");
        Files.createDirectories(from.resolve("calibration"));
        Files.writeString(from.resolve("calibration").resolve("kvquant.safetensors"), "old");
        Path to = convert(from, 8);

        assertThat(names(to))
                .containsExactlyInAnyOrder(
                        "config.json", "model.safetensors", "tokenizer.json", "LICENSE", "README.md");
        assertThat(Files.readString(to.resolve("README.md")))
                .startsWith("---\nlicense: mit\n---\n> **Converted")
                .contains("Other engines", "blocks of 8", "# Card");
        assertThat(JsonFile.readObject(to.resolve("config.json"), 1 << 20)
                        .get("model_type")
                        .asString())
                .isEqualTo("kvasir_llama");
        assertThat(names(folder)).containsExactlyInAnyOrder("original", "converted");
    }

    private static List<String> names(Path folder) throws IOException {
        try (Stream<Path> files = Files.list(folder)) {
            return files.map(file -> file.getFileName().toString()).toList();
        }
    }

    @Test
    void convertingTwiceOrOntoAFolderIsRefused() throws IOException {
        Path from = original(GROUPED);
        Path to = convert(from, 8);

        assertThatThrownBy(() -> KSort.convert(to, ModelFolder.open(to), folder.resolve("again"), List.of()))
                .isInstanceOf(InvalidInputException.class)
                .hasMessageContainingAll("converted before", "blocks of 8");
        assertThatThrownBy(() -> convert(from, 8))
                .isInstanceOf(InvalidInputException.class)
                .hasMessageContainingAll("converted", "already exists");
        assertThatThrownBy(() -> ModelCopy.requireFree(from.resolve("config.json")))
                .isInstanceOf(InvalidInputException.class);
    }

    @Test
    void blocksThatChangeNothingOrDoNotFitAreRefused() throws IOException {
        Path from = original(GROUPED);
        for (int block : new int[] {0, -2, 3, 10, 24, 48}) {
            assertThatThrownBy(() -> convert(from, block))
                    .isInstanceOf(InvalidInputException.class)
                    .hasMessageContaining(Integer.toString(block));
        }
    }

    @Test
    void cachesThatRotateKeysThemselvesAreRefused() throws IOException {
        Model converted = ModelFolder.open(convert(original(GROUPED), 8));

        assertThatThrownBy(() -> converted.cacheModel().rotary())
                .isInstanceOf(InvalidInputException.class)
                .hasMessageContaining("reordered");
    }

    @Test
    void hostileOrdersAreRefusedByName() throws IOException {
        Path to = convert(original(GROUPED), 8);
        Path weights = to.resolve("model.safetensors");
        byte[] good = Files.readAllBytes(weights);
        int data = 8 + ByteBuffer.wrap(good).order(ByteOrder.LITTLE_ENDIAN).getInt();
        Random random = new Random(2);
        for (int round = 0; round < 40; round++) {
            byte[] bad = good.clone();
            ByteBuffer numbers = ByteBuffer.wrap(bad).order(ByteOrder.LITTLE_ENDIAN);
            int at = data + 4 * random.nextInt(2 * 2 * 12);
            int was = numbers.getInt(at);
            int wrong = round % 2 == 0 ? random.nextInt() : random.nextInt(12);
            numbers.putInt(at, wrong == was ? -1 : wrong);
            Files.write(weights, bad);

            assertThatThrownBy(() -> ModelFolder.open(to))
                    .isInstanceOf(InvalidFileException.class)
                    .hasMessageContainingAll("model.safetensors", "rope_order", "once, found");
        }
        refusedHeader(to, weights, good, "\"I32\"", "\"F32\"", "expected I32");
        refusedHeader(to, weights, good, "[2,12]", "[12,2]", "[2][12]");
        refusedHeader(to, weights, good, "rope_order", "rope_0rder", "is missing");
    }

    private static void refusedHeader(Path folder, Path weights, byte[] good, String old, String wrong, String said)
            throws IOException {
        String text = new String(good, StandardCharsets.ISO_8859_1);
        Files.write(weights, text.replace(old, wrong).getBytes(StandardCharsets.ISO_8859_1));
        assertThatThrownBy(() -> ModelFolder.open(folder))
                .isInstanceOf(InvalidFileException.class)
                .hasMessageContaining(said);
    }

    @Test
    void configurationMustSayWhatTheWeightsAre() throws IOException {
        Path to = convert(original(GROUPED), 8);
        ObjectNode config = (ObjectNode) JsonFile.readObject(to.resolve("config.json"), 1 << 20);
        refusedConfig(to, config.deepCopy().put("model_type", "llama"), "model_type must be kvasir_llama");
        refusedConfig(to, config.deepCopy().without("kvasir_rope_block"), "without it");
        refusedConfig(
                to,
                config.deepCopy().without("kvasir_rope_block").put("model_type", "llama"),
                "rope_order is not part of a llama model");
        refusedConfig(to, config.deepCopy().put("kvasir_rope_block", 10), "must be even and divide head_dim 24");
        refusedConfig(to, config.deepCopy().put("kvasir_rope_block", 1 << 30), "kvasir_rope_block");
        refusedConfig(to, config.deepCopy().put("kvasir_rope_block", "8"), "kvasir_rope_block");
    }

    private static void refusedConfig(Path folder, ObjectNode config, String said) throws IOException {
        TestFolders.writeConfig(folder, config);
        assertThatThrownBy(() -> ModelFolder.open(folder))
                .isInstanceOf(InvalidFileException.class)
                .hasMessageContaining(said);
    }
}
