package dev.kvasir.cache.method.block;

import static org.assertj.core.api.Assertions.assertThat;

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
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class BlockTest {
    private static final CacheShape SHAPE = new CacheShape(1, 1, 1, 64, 64);
    private final Steps steps = new Steps(SHAPE, 3);

    @ParameterizedTest
    @ValueSource(strings = {"q8_0", "q4_0", "q5_0"})
    void codesAndScalesAreThoseOfGgml(String type) {
        try (PagePool pool = Steps.pool();
                SequenceCache cache = (SequenceCache)
                        Caches.create(CacheSpec.parse("block(" + type + ")"), SHAPE, pool, Steps.sequential())) {
            steps.feed(cache, 100);
            for (int i = 0; i < 37; i++) {
                steps.feed(cache, 1);
            }
            PackedKeys keys = (PackedKeys) cache.head(0, 0).keys();
            PackedValues values = (PackedValues) cache.head(0, 0).values();
            int[][] keyCodes = StoreContents.codes(keys);
            int[][] valueCodes = StoreContents.codes(values);
            for (int t = 0; t < cache.length(); t++) {
                for (int block = 0; block < 64; block += 32) {
                    float[] x = new float[32];
                    System.arraycopy(steps.states(0, t, 1).keys(), block, x, 0, 32);
                    int[] expected = new int[32];
                    assertThat(StoreContents.scale(keys, t, block)).isEqualTo(ggml(type, x, expected));
                    assertThat(java.util.Arrays.copyOfRange(keyCodes[t], block, block + 32))
                            .isEqualTo(expected);
                    System.arraycopy(steps.states(0, t, 1).values(), block, x, 0, 32);
                    assertThat(StoreContents.scale(values, t, block)).isEqualTo(ggml(type, x, expected));
                    assertThat(java.util.Arrays.copyOfRange(valueCodes[t], block, block + 32))
                            .isEqualTo(expected);
                }
            }
        }
    }

    /** ggml's quantize_row_*_ref for one block, codes as unsigned numbers; returns the stored scale. */
    private static float ggml(String type, float[] x, int[] codes) {
        float amax = 0;
        float max = 0;
        for (float value : x) {
            if (amax < Math.abs(value)) {
                amax = Math.abs(value);
                max = value;
            }
        }
        float d = switch (type) {
            case "q8_0" -> amax / 127;
            case "q4_0" -> max / -8;
            default -> max / -16;
        };
        float id = d == 0 ? 0 : 1 / d;
        for (int i = 0; i < 32; i++) {
            float scaled = x[i] * id;
            codes[i] = switch (type) {
                case "q8_0" -> (int) (Math.signum(scaled) * Math.floor(Math.abs((double) scaled) + 0.5)) + 128;
                case "q4_0" -> Math.min(15, (byte) (scaled + 8.5f));
                default -> Math.min(31, (byte) (scaled + 16.5f));
            };
        }
        return Float.float16ToFloat(Float.floatToFloat16(d));
    }

    @ParameterizedTest
    @CsvSource({"q8_0, 8.5", "q5_0, 5.5", "q4_0, 4.5"})
    void costsTheBitsOfItsType(String type, double bits) {
        try (PagePool pool = Steps.pool();
                KvCache cache =
                        Caches.create(CacheSpec.parse("block(" + type + ")"), SHAPE, pool, Steps.sequential())) {
            steps.feed(cache, 512);
            assertThat(cache.footprint().bitsPerElement(SHAPE, 512)).isEqualTo(bits);
        }
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
        assertThat(keyError(true)).isLessThan(0.67 * keyError(false));
    }

    private double keyError(boolean rotate) {
        String spec = "block(q4_0, rotate=" + rotate + ")";
        try (PagePool pool = Steps.pool();
                SequenceCache cache =
                        (SequenceCache) Caches.create(CacheSpec.parse(spec), SHAPE, pool, Steps.sequential())) {
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
