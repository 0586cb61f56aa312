package dev.kvasir.cache.store;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kvasir.cache.PagePool;
import dev.kvasir.cache.Steps;
import dev.kvasir.cache.kernel.Element;
import dev.kvasir.cache.kernel.Kernels;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Reads of rows and of some of their tokens; bounds of channels. */
class TokenRowsTest {
    private static final int TOKENS = 150;
    private final Random random = new Random(6);

    private float[] gaussian(int count) {
        float[] numbers = new float[count];
        for (int i = 0; i < count; i++) {
            numbers[i] = (float) random.nextGaussian();
        }
        return numbers;
    }

    @ParameterizedTest
    @EnumSource(Element.class)
    void someTokensReadAsTheyDoAmongAll(Element element) {
        for (int headDim : new int[] {64, 80, 100, 128}) {
            for (int rows : new int[] {1, 2, 3, 4, 9}) {
                check(element, headDim, rows);
            }
        }
    }

    private void check(Element element, int headDim, int rows) {
        float[] keys = gaussian(TOKENS * headDim);
        float[] values = gaussian(TOKENS * headDim);
        float[] queries = gaussian(rows * headDim);
        Scratch scratch = new Scratch();
        try (PagePool pool = Steps.pool()) {
            TokenRows store = new TokenRows(pool, Kernels.best(), element, headDim);
            try (PagePool.Claim claim = pool.claim(store.wantedBytes(TOKENS))) {
                store.reserve(TOKENS, claim);
            }
            store.append(keys, values, 0, headDim, 70);
            store.append(keys, values, 70 * headDim, headDim, TOKENS - 70);
            int[] slots = IntStream.range(0, TOKENS).filter(i -> i % 3 != 1).toArray();
            int stride = TOKENS + 32;
            float[] all = new float[rows * stride];
            float[] some = new float[rows * stride];
            store.keys().scores(queries, 0, rows, 0, TOKENS, all, 0, stride, scratch);
            store.keys().scoresOf(queries, 0, rows, slots, 2, slots.length, some, 0, stride, scratch);
            float[] weights = gaussian(rows * stride);
            float[] spread = new float[rows * stride];
            for (int r = 0; r < rows; r++) {
                for (int i = 2; i < slots.length; i++) {
                    spread[r * stride + slots[i]] = weights[r * stride + i - 2];
                    double score = 0;
                    for (int c = 0; c < headDim; c++) {
                        score += queries[r * headDim + c] * (double) element.round(keys[slots[i] * headDim + c]);
                    }
                    assertThat(all[r * stride + slots[i]]).isCloseTo((float) score, within());
                    assertThat(some[r * stride + i - 2]).isCloseTo((float) score, within());
                }
            }
            float[] sums = new float[rows * headDim];
            float[] sumsOfSome = new float[rows * headDim];
            store.values().addWeighted(spread, 0, stride, rows, 0, TOKENS, sums, 0, scratch);
            store.values().addWeightedOf(weights, 0, stride, rows, slots, 2, slots.length, sumsOfSome, 0, scratch);
            Steps.assertClose(sumsOfSome, sums, 1e-6);
            double sum = 0;
            for (int t = 0; t < TOKENS; t++) {
                sum += spread[t] * (double) element.round(values[t * headDim]);
            }
            assertThat(sums[0]).isCloseTo((float) sum, within());
            store.release();
            assertThat(pool.usedBytes()).isZero();
        }
    }

    private static org.assertj.core.data.Offset<Float> within() {
        return org.assertj.core.data.Offset.offset(2e-4f);
    }

    @Test
    void boundsHoldEveryNumberAndAreTightForF16() {
        int headDim = 24;
        try (PagePool pool = Steps.pool()) {
            for (int block : new int[] {1, 7, 16}) {
                ChannelBounds bounds = new ChannelBounds(pool, Kernels.best(), headDim, block);
                int tokens = 5 * block + block / 2;
                try (PagePool.Claim claim = pool.claim(bounds.wantedBytes(tokens))) {
                    bounds.reserve(tokens, claim);
                }
                float[] rows = gaussian(tokens * headDim);
                for (int i = 0; i < rows.length; i++) {
                    rows[i] *= (float) Math.pow(10, i % headDim - 10.0);
                }
                Element.F16.round(rows, 0, rows.length / 2);
                bounds.append(rows, 0, headDim, block + 1);
                bounds.append(rows, (block + 1) * headDim, headDim, tokens - block - 1);
                checkBounds(bounds, rows, tokens, block, headDim);
                bounds.release();
            }
        }
    }

    private static void checkBounds(ChannelBounds bounds, float[] rows, int tokens, int block, int headDim) {
        float[] found = new float[2 * headDim];
        for (int b = 0; b < bounds.blocks(); b++) {
            bounds.read(b, 1, found, 0);
            for (int c = 0; c < headDim; c++) {
                float least = Float.POSITIVE_INFINITY;
                float largest = Float.NEGATIVE_INFINITY;
                for (int t = b * block; t < Math.min(tokens, (b + 1) * block); t++) {
                    float x = Math.clamp(rows[t * headDim + c], -65504f, 65504f);
                    least = Math.min(least, x);
                    largest = Math.max(largest, x);
                }
                assertThat(found[c]).isLessThanOrEqualTo(least);
                assertThat(found[headDim + c]).isGreaterThanOrEqualTo(largest);
                // At most one step of F16 beyond, and none where the number is one of F16's.
                float step = Math.max(0x1p-24f, Math.abs(least) * 0x1p-10f) * 1.001f;
                assertThat(least - found[c]).isLessThanOrEqualTo(Element.F16.round(least) == least ? 0 : step);
                step = Math.max(0x1p-24f, Math.abs(largest) * 0x1p-10f) * 1.001f;
                assertThat(found[headDim + c] - largest)
                        .isLessThanOrEqualTo(Element.F16.round(largest) == largest ? 0 : step);
            }
        }
    }
}
