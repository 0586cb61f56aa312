package dev.kvasir.cache.method.block;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kvasir.InvalidInputException;
import dev.kvasir.cache.CacheShape;
import dev.kvasir.cache.CacheSpec;
import dev.kvasir.cache.Caches;
import dev.kvasir.cache.KvCache;
import dev.kvasir.cache.PagePool;
import dev.kvasir.cache.Steps;
import dev.kvasir.cache.attention.SequenceCache;
import dev.kvasir.cache.store.PackedKeys;
import dev.kvasir.cache.store.PackedValues;
import dev.kvasir.cache.store.StoreContents;
import dev.kvasir.cache.transform.Hadamard;
import java.util.Arrays;
import java.util.Map;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

class BlockTest {
    /** Bits an element. */
    private static final Map<String, Double> TYPES =
            Map.of("q8_0", 8.5, "q5_0", 5.5, "q5_1", 6.0, "q4_0", 4.5, "q4_1", 5.0, "iq4_nl", 4.5);

    private static final CacheShape SHAPE = new CacheShape(1, 1, 1, 64, 64);
    private final Steps steps = new Steps(SHAPE, 3);

    static Stream<Arguments> typesTwice() {
        return TYPES.keySet().stream()
                .flatMap(k ->
                        Stream.of(Arguments.of(k, k, 64), Arguments.of(k, "q4_1", 96), Arguments.of("q5_1", k, 96)));
    }

    @ParameterizedTest
    @MethodSource("typesTwice")
    void codesAndScalesAreThoseOfGgml(String k, String v, int headDim) {
        CacheShape shape = new CacheShape(1, 1, 1, headDim, headDim);
        Steps states = new Steps(shape, 3);
        try (PagePool pool = Steps.pool();
                SequenceCache cache =
                        (SequenceCache) Caches.create(spec(k, v, false), shape, pool, Steps.sequential())) {
            states.feed(cache, 100);
            for (int i = 0; i < 37; i++) {
                states.feed(cache, 1);
            }
            PackedKeys keys = (PackedKeys) cache.head(0, 0).keys();
            PackedValues values = (PackedValues) cache.head(0, 0).values();
            int[][] keyCodes = StoreContents.codes(keys);
            int[][] valueCodes = StoreContents.codes(values);
            float[][] keyRows = StoreContents.keys(keys, headDim);
            for (int t = 0; t < cache.length(); t++) {
                for (int block = 0; block < headDim; block += 32) {
                    GgmlBlock key = GgmlBlock.of(k, states.states(0, t, 1).keys(), block);
                    assertThat(StoreContents.scale(keys, t, block)).isEqualTo(key.scale());
                    assertThat(Arrays.copyOfRange(keyCodes[t], block, block + 32))
                            .isEqualTo(key.codes());
                    Steps.assertClose(Arrays.copyOfRange(keyRows[t], block, block + 32), key.values(k), 1e-5);
                    GgmlBlock value = GgmlBlock.of(v, states.states(0, t, 1).values(), block);
                    assertThat(StoreContents.scale(values, t, block)).isEqualTo(value.scale());
                    assertThat(Arrays.copyOfRange(valueCodes[t], block, block + 32))
                            .isEqualTo(value.codes());
                }
            }
        }
    }

    private static CacheSpec spec(String k, String v, boolean rotate) {
        return CacheSpec.parse("block(k=" + k + ", v=" + v + ", rotate=" + rotate + ")");
    }

    @ParameterizedTest
    @MethodSource("typesTwice")
    void bytesAreThoseOfTheTypes(String k, String v, int headDim) {
        CacheShape shape = new CacheShape(2, 2, 1, headDim, headDim);
        try (PagePool pool = Steps.pool();
                KvCache cache = Caches.create(spec(k, v, true), shape, pool, Steps.sequential())) {
            new Steps(shape, 1).feed(cache, 512);
            double bits = (TYPES.getOrDefault(k, 0.0) + TYPES.getOrDefault(v, 0.0)) / 2;
            assertThat(cache.footprint().bitsPerElement(shape, 512)).isEqualTo(bits);
            assertThat(Caches.estimate(spec(k, v, true), shape, 512)).isEqualTo(cache.footprint());
        }
    }

    @Test
    void refusesHeadsThatBlocksDoNotFill() {
        CacheShape shape = new CacheShape(1, 1, 1, 80, 80);
        try (PagePool pool = Steps.pool()) {
            assertThatThrownBy(() -> Caches.create(spec("q4_0", "q8_0", false), shape, pool, Steps.sequential()))
                    .isInstanceOf(InvalidInputException.class)
                    .hasMessageContaining("80 channels")
                    .hasMessageContaining("32");
        }
    }

    /** What 4 and 5 bits and 8 lose of keys with outlier channels, rotated or not: the finer type loses less. */
    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void moreBitsLoseLess(boolean rotate) {
        double eight = keyError("q8_0", rotate);
        double five = keyError("q5_0", rotate);
        double four = keyError("q4_0", rotate);
        assertThat(eight).isLessThan(0.05 * five);
        assertThat(five).isLessThan(0.4 * four);
        assertThat(keyError("q5_1", rotate)).isLessThan(0.4 * keyError("q4_1", rotate));
        assertThat(keyError("iq4_nl", true)).isLessThan(keyError("q4_0", true));
    }

    @Test
    void rotationKeepsInnerProductsAndIsItsOwnInverse() {
        Random random = new Random(2);
        for (int headDim : new int[] {16, 64, 80, 96, 128, 192}) {
            Hadamard hadamard = new Hadamard(headDim);
            float[] x = new float[3 * headDim + 1];
            float[] y = new float[3 * headDim + 1];
            for (int i = 0; i < x.length; i++) {
                x[i] = (float) random.nextGaussian();
                y[i] = (float) random.nextGaussian();
            }
            float[] turnedX = x.clone();
            float[] turnedY = y.clone();
            hadamard.apply(turnedX, 1, 3);
            hadamard.apply(turnedY, 1, 3);
            assertThat(turnedX[0]).isEqualTo(x[0]);
            assertThat(dot(turnedX, turnedY, 1 + headDim, headDim))
                    .isCloseTo(dot(x, y, 1 + headDim, headDim), org.assertj.core.data.Offset.offset(1e-4));
            hadamard.invert(turnedX, 1, 3);
            Steps.assertClose(turnedX, x, 1e-6);
        }
    }

    private static double dot(float[] x, float[] y, int offset, int count) {
        double sum = 0;
        for (int i = offset; i < offset + count; i++) {
            sum += x[i] * y[i];
        }
        return sum;
    }

    /** Three channels of offset 4: the largest of 32 falls from about 4.3 to about 3.1, the square error to about half. */
    @Test
    void rotationSpreadsOutliers() {
        assertThat(keyError("q4_0", true)).isLessThan(0.67 * keyError("q4_0", false));
    }

    private double keyError(String type, boolean rotate) {
        try (PagePool pool = Steps.pool();
                SequenceCache cache =
                        (SequenceCache) Caches.create(spec(type, type, rotate), SHAPE, pool, Steps.sequential())) {
            steps.feed(cache, 200);
            float[][] keys = StoreContents.keys(cache.head(0, 0).keys(), 64);
            double sum = 0;
            for (int t = 0; t < keys.length; t++) {
                if (rotate) {
                    new Hadamard(64).invert(keys[t], 0, 1);
                }
                float[] expected = steps.states(0, t, 1).keys();
                for (int c = 0; c < 64; c++) {
                    sum += (keys[t][c] - expected[c]) * (double) (keys[t][c] - expected[c]);
                }
            }
            return sum;
        }
    }
}
