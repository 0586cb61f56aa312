package dev.kvasir.cache.transform;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.util.Arrays;
import java.util.Random;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What every change of basis must keep: inner products, and the way back. */
class TransformTest {
    private static final int ROWS = 19;

    static Stream<Arguments> transforms() {
        Stream<Arguments> widths = IntStream.of(3, 8, 12, 64, 80, 96, 112, 128, 129, 256)
                .boxed()
                .flatMap(d -> Stream.of(
                        Arguments.of("Hadamard " + d, new Hadamard(d), d),
                        Arguments.of("rotation " + d, new RandomRotation(d, 5), d),
                        Arguments.of("DFT " + d, new RealDft(d), d),
                        Arguments.of("permutation " + d, new ChannelPermutation(order(d)), d),
                        Arguments.of("scale " + d, new ChannelScale(scale(d)), d),
                        Arguments.of(
                                "scale, permutation, DFT " + d,
                                Composition.of(
                                        Transform.NONE,
                                        new ChannelScale(scale(d)),
                                        new ChannelPermutation(order(d)),
                                        new RealDft(d)),
                                d)));
        Stream<Arguments> mixing = IntStream.of(4, 12, 20, 28, 40, 64, 72, 80, 88, 96, 112, 128, 160, 192, 256)
                .boxed()
                .flatMap(d -> Stream.of(
                        Arguments.of("full Hadamard " + d, Hadamard.full(d), d),
                        Arguments.of("random Hadamard " + d, new RandomHadamard(d, 9), d)));
        Stream<Arguments> grouped = Stream.of(
                        new int[] {4, 128}, new int[] {1, 64}, new int[] {8, 80}, new int[] {2, 24})
                .map(s -> Arguments.of("grouped " + s[0] + "x" + s[1], new GroupedHadamard(s[0], s[1]), s[0] * s[1]));
        return Stream.of(widths, mixing, grouped).flatMap(s -> s);
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("transforms")
    void keepsInnerProducts(String name, Transform transform, int width) {
        float[] keys = gaussians(ROWS * width, 1);
        float[] queries = gaussians(ROWS * width, 2);
        float[] stored = keys.clone();
        float[] turned = queries.clone();
        transform.apply(stored, 0, ROWS);
        transform.applyToQueries(turned, 0, ROWS);

        for (int r = 0; r < ROWS; r++) {
            double expected = dot(queries, keys, r * width, width);
            double size = Math.sqrt(dot(queries, queries, r * width, width) * dot(keys, keys, r * width, width));
            assertThat(dot(turned, stored, r * width, width)).isCloseTo(expected, within(1e-6 * size));
        }
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("transforms")
    void comesBack(String name, Transform transform, int width) {
        assertThat(transform.width()).isEqualTo(width);
        float[] x = gaussians(ROWS * width + 7, 3);
        float[] y = x.clone();
        transform.apply(y, 4, ROWS);
        assertThat(Arrays.equals(y, 4, y.length - 3, x, 4, x.length - 3)).isEqualTo(transform.isNone());
        assertThat(Arrays.copyOf(y, 4)).isEqualTo(Arrays.copyOf(x, 4));
        assertThat(Arrays.copyOfRange(y, y.length - 3, y.length))
                .isEqualTo(Arrays.copyOfRange(x, x.length - 3, x.length));

        transform.invert(y, 4, ROWS);

        float largest = 0;
        for (int i = 0; i < x.length; i++) {
            largest = Math.max(largest, Math.abs(x[i] - y[i]));
        }
        assertThat(largest).isLessThan(4e-6f);
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2, 4, 8, 16, 32, 64, 128, 256, 1024})
    void fastHadamardIsTheDenseMatrix(int width) {
        float[] x = gaussians(width, 4);
        float[] fast = x.clone();
        new Hadamard(width).apply(fast, 0, 1);
        for (int i = 0; i < width; i++) {
            double sum = 0;
            for (int j = 0; j < width; j++) {
                sum += Integer.bitCount(i & j) % 2 == 0 ? x[j] : -x[j];
            }
            assertThat((double) fast[i]).isCloseTo(sum / Math.sqrt(width), within(2e-6));
        }
    }

    @Test
    void nearlyEveryMultipleOfFourHasAHadamardMatrix() {
        int[] missing = IntStream.rangeClosed(1, 256)
                .filter(n -> n % 4 == 0 && HadamardMatrix.of(n).isEmpty())
                .toArray();
        assertThat(missing).containsExactly(52, 92, 100, 116, 156, 172, 184, 188, 232, 236, 244);
        assertThatThrownBy(() -> Hadamard.full(52)).isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> Hadamard.full(6)).hasMessageContaining("order 6");
    }

    @ParameterizedTest
    @ValueSource(ints = {12, 20, 24, 28, 36, 40, 80, 96, 104, 112, 224})
    void aFullHadamardSpreadsOneChannelEvenlyOverAll(int width) {
        float[] x = new float[width];
        x[width / 3] = 1;
        Hadamard.full(width).apply(x, 0, 1);
        for (float y : x) {
            assertThat((double) Math.abs(y)).isCloseTo(1 / Math.sqrt(width), within(1e-6));
        }
    }

    @Test
    void plainHadamardMixesOnlyItsBlocks() {
        Hadamard hadamard = new Hadamard(80);
        assertThat(hadamard.block()).isEqualTo(16);
        float[] x = new float[80];
        x[17] = 1;
        hadamard.apply(x, 0, 1);
        assertThat(IntStream.range(0, 80).filter(i -> x[i] != 0).boxed())
                .containsExactlyElementsOf(IntStream.range(16, 32).boxed().toList());
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2, 5, 8, 33, 64, 100, 127, 128})
    void spectrumIsTheDefinition(int n) {
        float[] x = gaussians(n, 6);
        float[] z = x.clone();
        new RealDft(n).apply(z, 0, 1);
        for (int f = 0; f <= n / 2; f++) {
            double re = 0;
            double im = 0;
            for (int c = 0; c < n; c++) {
                re += x[c] * Math.cos(2 * Math.PI * f * c / n);
                im -= x[c] * Math.sin(2 * Math.PI * f * c / n);
            }
            boolean alone = f == 0 || 2 * f == n;
            double norm = Math.sqrt((alone ? 1.0 : 2.0) / n);
            assertThat((double) z[f]).isCloseTo(norm * re, within(3e-6));
            if (!alone) {
                assertThat((double) z[n / 2 + f]).isCloseTo(norm * im, within(3e-6));
            }
        }
    }

    @Test
    void permutationGathers() {
        ChannelPermutation permutation = new ChannelPermutation(new int[] {2, 0, 1, 3});
        float[] x = {10, 11, 12, 13, 20, 21, 22, 23};
        permutation.apply(x, 0, 2);
        assertThat(x).containsExactly(12, 10, 11, 13, 22, 20, 21, 23);
        permutation.inverse().apply(x, 0, 2);
        assertThat(x).containsExactly(10, 11, 12, 13, 20, 21, 22, 23);
        assertThat(new ChannelPermutation(new int[] {0, 1, 2}).isNone()).isTrue();
        assertThatThrownBy(() -> new ChannelPermutation(new int[] {0, 2, 2})).hasMessageContaining("2 is");
        assertThatThrownBy(() -> new ChannelPermutation(new int[] {0, 3, 1})).hasMessageContaining("3 is");
    }

    @Test
    void scaleGoesTheOtherWayOnQueries() {
        ChannelScale scale = new ChannelScale(new float[] {2, 0.5f});
        float[] key = {3, 3};
        float[] query = {3, 3};
        scale.apply(key, 0, 1);
        scale.applyToQueries(query, 0, 1);
        assertThat(key).containsExactly(6, 1.5f);
        assertThat(query).containsExactly(1.5f, 6);
        assertThatThrownBy(() -> new ChannelScale(new float[] {1, 0})).hasMessageContaining("channel 1");
        assertThatThrownBy(() -> new ChannelScale(new float[] {Float.NaN})).hasMessageContaining("NaN");
    }

    @ParameterizedTest
    @ValueSource(doubles = {1e-3, 1e3})
    void scaleKeepsInnerProductsOverSixDecades(double extreme) {
        float[] factors = new float[128];
        for (int c = 0; c < 128; c++) {
            factors[c] = (float) Math.pow(extreme, c / 127.0);
        }
        ChannelScale scale = new ChannelScale(factors);
        keepsInnerProducts("", scale, 128);
    }

    @Test
    void compositionOfNothingIsNothing() {
        assertThat(Composition.of(Transform.NONE, Transform.NONE).isNone()).isTrue();
        assertThatThrownBy(() -> Composition.of(new RealDft(8), new Hadamard(16)))
                .hasMessageContaining("8 and 16 channels");
    }

    @Test
    void seedsAreRepeatableAndDiffer() {
        for (int d : new int[] {64, 96}) {
            assertThat(once(new RandomRotation(d, 7), d)).isEqualTo(once(new RandomRotation(d, 7), d));
            assertThat(once(new RandomRotation(d, 7), d)).isNotEqualTo(once(new RandomRotation(d, 8), d));
            assertThat(once(new RandomHadamard(d, 7), d)).isEqualTo(once(new RandomHadamard(d, 7), d));
            assertThat(once(new RandomHadamard(d, 7), d)).isNotEqualTo(once(new RandomHadamard(d, 8), d));
        }
    }

    /** A rotated coordinate of a unit vector has variance 1/d and fourth moment 3/(d(d+2)), whatever the vector. */
    @ParameterizedTest
    @ValueSource(ints = {64, 128})
    void randomRotationsSpreadOneChannelLikeTheSphere(int d) {
        double[] second = new double[2];
        double[] fourth = new double[2];
        int seeds = 200;
        for (int seed = 0; seed < seeds; seed++) {
            Transform[] both = {new RandomRotation(d, seed), new RandomHadamard(d, seed)};
            for (int i = 0; i < 2; i++) {
                float[] x = new float[d];
                x[seed % d] = 1;
                both[i].apply(x, 0, 1);
                for (float y : x) {
                    second[i] += Math.pow(y, 2) / (d * seeds);
                    fourth[i] += Math.pow(y, 4) / (d * seeds);
                }
            }
        }
        for (int i = 0; i < 2; i++) {
            assertThat(second[i] * d).isCloseTo(1, within(1e-4));
            assertThat(fourth[i] * d * (d + 2) / 3).isCloseTo(1, within(0.06));
        }
    }

    /** Rows in one call or one by one, whoever else is at work: the same bits. */
    @Test
    void resultsDoNotDependOnThreads() throws Exception {
        Transform rotation = new RandomRotation(96, 3);
        float[] x = gaussians(64 * 96, 12);
        float[] together = x.clone();
        rotation.apply(together, 0, 64);
        float[] apart = x.clone();
        Thread[] threads = new Thread[4];
        for (int i = 0; i < 4; i++) {
            int part = i;
            threads[i] = Thread.ofPlatform().start(() -> rotation.apply(apart, part * 16 * 96, 16));
        }
        for (Thread thread : threads) {
            thread.join();
        }
        assertThat(apart).isEqualTo(together);
    }

    private static float[] once(Transform transform, int width) {
        float[] x = gaussians(width, 11);
        transform.apply(x, 0, 1);
        return x;
    }

    static int[] order(int width) {
        int[] order = IntStream.range(0, width).toArray();
        Random random = new Random(width);
        for (int i = width - 1; i > 0; i--) {
            int j = random.nextInt(i + 1);
            int swap = order[i];
            order[i] = order[j];
            order[j] = swap;
        }
        return order;
    }

    private static float[] scale(int width) {
        float[] scale = gaussians(width, 13);
        for (int c = 0; c < width; c++) {
            scale[c] = (float) Math.exp(0.3 * scale[c]);
        }
        return scale;
    }

    private static double dot(float[] x, float[] y, int offset, int count) {
        double sum = 0;
        for (int i = offset; i < offset + count; i++) {
            sum += (double) x[i] * y[i];
        }
        return sum;
    }

    static float[] gaussians(int count, long seed) {
        Random random = new Random(seed);
        float[] x = new float[count];
        for (int i = 0; i < count; i++) {
            x[i] = (float) random.nextGaussian();
        }
        return x;
    }
}
