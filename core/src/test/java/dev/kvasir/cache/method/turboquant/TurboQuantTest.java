package dev.kvasir.cache.method.turboquant;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.kvasir.InvalidInputException;
import dev.kvasir.cache.CacheShape;
import dev.kvasir.cache.CacheSpec;
import dev.kvasir.cache.Caches;
import dev.kvasir.cache.Footprint;
import dev.kvasir.cache.KvCache;
import dev.kvasir.cache.OneStep;
import dev.kvasir.cache.PagePool;
import dev.kvasir.cache.Steps;
import dev.kvasir.cache.attention.SequenceCache;
import dev.kvasir.cache.codebook.Codebook;
import dev.kvasir.cache.codebook.Density;
import dev.kvasir.cache.codebook.LloydMax;
import dev.kvasir.cache.store.ReadBack;
import dev.kvasir.cache.transform.GaussianProjection;
import dev.kvasir.cache.transform.RandomRotation;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What TurboQuant (arXiv 2504.19874) promises of its errors, its bytes, and its agreement with the plain algorithm. */
final class TurboQuantTest {
    private static final int D = 128;
    private static final CacheShape ONE_HEAD = new CacheShape(1, 1, 1, D, 8);

    @ParameterizedTest
    @CsvSource({"1, 0.363", "2, 0.1175", "3, 0.0345", "4, 0.0095"})
    void errorOfAVectorIsThatOfItsBits(int bits, double expected) {
        for (String rotation : new String[] {"dense", "hadamard"}) {
            Random random = new Random(bits);
            float[] rows = spiky(600, random);
            float[][] values =
                    read("turboquant(keys=mse, bits=" + bits + ", rotation=" + rotation + ")", rows, rows, false);
            double error = 0;
            for (int t = 0; t < values.length; t++) {
                error += squaredDistance(values[t], rows, t) / squaredLength(rows, t);
            }
            assertThat(error / values.length).isCloseTo(expected, within(0.06 * expected));
        }
    }

    /** Theorem 2: {@code 0.56 / d, 0.18 / d, 0.047 / d} at 2, 3, 4 bits for unit vectors. */
    @ParameterizedTest
    @CsvSource({"2, 0.56", "3, 0.18", "4, 0.047"})
    void sketchedProductsAreUnbiasedWithTheErrorOfTheirBits(int bits, double expected) {
        Random random = new Random(bits);
        float[] keys = unit(gaussian(D, random));
        float[] query = unit(gaussian(D, random));
        double truth = dot(query, keys, 0);
        double sum = 0;
        double squares = 0;
        int seeds = 400;
        for (int seed = 0; seed < seeds; seed++) {
            float[] key = read(
                    "turboquant(bits=" + bits + ", rotation=hadamard, seed=" + 10 * seed + ")", keys, keys, true)[0];
            double error = dot(query, key, 0) - truth;
            sum += error;
            squares += error * error;
        }
        double standardError = Math.sqrt(squares / seeds / seeds);
        assertThat(Math.abs(sum / seeds)).isLessThan(3.5 * standardError);
        assertThat(squares / seeds * D).isCloseTo(expected, within(0.3 * expected));
    }

    @Test
    void codesAloneAreBiasedTowardsZero() {
        Random random = new Random(3);
        float[] keys = unit(gaussian(D, random));
        double sum = 0;
        for (int seed = 0; seed < 200; seed++) {
            float[] key = read(
                    "turboquant(bits=2, keys=mse, rotation=hadamard, seed=" + 10 * seed + ")", keys, keys, true)[0];
            sum += dot(keys, key, 0);
        }
        // <x, x'> = 1 - error for a Lloyd-Max quantizer: 0.8825 at two bits.
        assertThat(sum / 200).isCloseTo(0.8825, within(0.01));
    }

    @Test
    void orthogonalProjectionVariesLess() {
        assertThat(productError("orthogonal")).isLessThan(0.9 * productError("gaussian"));
    }

    private double productError(String projection) {
        Random random = new Random(5);
        double error = 0;
        for (int seed = 0; seed < 150; seed++) {
            float[] keys = unit(gaussian(D, random));
            float[] key = read(
                    "turboquant(bits=2, projection=" + projection + ", rotation=hadamard, seed=" + 10 * seed + ")",
                    keys,
                    keys,
                    true)[0];
            double difference = dot(keys, key, 0) - 1;
            error += difference * difference;
        }
        return error / 150;
    }

    @ParameterizedTest
    @ValueSource(strings = {"mse", "prod"})
    void keysAreThoseOfThePlainAlgorithm(String form) {
        Random random = new Random(9);
        float[] rows = spiky(70, random);
        float[][] found = read("turboquant(bits=3, keys=" + form + ", seed=4)", rows, rows, true);
        RandomRotation rotation = new RandomRotation(D, 4);
        GaussianProjection projection = new GaussianProjection(D, 5);
        boolean sketched = form.equals("prod");
        Codebook book = LloydMax.of(Density.sphere(D), sketched ? 2 : 3).codebook();
        for (int t = 0; t < found.length; t++) {
            float[] expected = plain(rows, t, rotation, sketched ? projection : null, book);
            for (int c = 0; c < D; c++) {
                assertThat(found[t][c])
                        .isCloseTo(expected[c], within(2e-3f * (float) Math.sqrt(squaredLength(rows, t))));
            }
        }
    }

    /** Algorithms 1 and 2 of the paper, one vector at a time, without any of the stores. */
    private static float[] plain(
            float[] rows,
            int t,
            RandomRotation rotation,
            @org.jspecify.annotations.Nullable GaussianProjection projection,
            Codebook book) {
        float[] turned = java.util.Arrays.copyOfRange(rows, t * D, (t + 1) * D);
        float length = f16(Math.sqrt(squaredLength(rows, t)));
        rotation.apply(turned, 0, 1);
        float[] decoded = new float[D];
        float[] missed = new float[D];
        for (int c = 0; c < D; c++) {
            decoded[c] = length * book.level(book.code(turned[c] / length));
            missed[c] = turned[c] - decoded[c];
        }
        if (projection != null) {
            double scale = f16(Math.sqrt(Math.PI / 2) / D * Math.sqrt(squaredLength(missed, 0)));
            float[] signs = missed.clone();
            projection.apply(signs, 0, 1);
            for (int i = 0; i < D; i++) {
                signs[i] = signs[i] >= 0 ? 1 : -1;
            }
            // S^t signs, by the products of S with unit vectors.
            for (int c = 0; c < D; c++) {
                float[] column = new float[D];
                column[c] = 1;
                projection.apply(column, 0, 1);
                decoded[c] += (float) (scale * dot(column, signs, 0));
            }
        }
        rotation.invert(decoded, 0, 1);
        return decoded;
    }

    private static float f16(double x) {
        return Float.float16ToFloat(Float.floatToFloat16((float) x));
    }

    @Test
    void outlierChannelsGetTheirExtraBit() {
        Random random = new Random(12);
        float[] rows = gaussian(200 * D, random);
        for (int t = 0; t < 200; t++) {
            for (int c = 3; c < D; c += 8) {
                rows[t * D + c] *= 12;
            }
        }
        double with = relativeError(read("turboquant(bits=2, keys=mse, outliers=16)", rows, rows, true), rows);
        double without = relativeError(read("turboquant(bits=2, keys=mse)", rows, rows, true), rows);
        assertThat(with).isLessThan(0.4 * without);
    }

    private static double relativeError(float[][] found, float[] rows) {
        double error = 0;
        double size = 0;
        for (int t = 0; t < found.length; t++) {
            error += squaredDistance(found[t], rows, t);
            size += squaredLength(rows, t);
        }
        return error / size;
    }

    @Test
    void bytesAreThoseOfTheFormula() {
        CacheShape shape = new CacheShape(2, 8, 2, D, 8);
        // Keys: 2 bits of codes, 1 of signs, two lengths; values: 3 bits and one length.
        long perToken = (2 + 1) * D / 8 + 2 * 2 + 3 * D / 8 + 2;
        assertThat(Caches.estimateBytes(CacheSpec.parse("turboquant(3)"), shape, 1024))
                .isEqualTo(2L * 2 * 1024 * perToken);
        Footprint split = Caches.estimate(CacheSpec.parse("turboquant(2, keys=mse, outliers=32)"), shape, 128);
        assertThat(split.codes()).isEqualTo(2L * 2 * 128 * 2 * (32 * 3 + 96 * 2) / 8);
        assertThat(split.scales()).isEqualTo(2L * 2 * 128 * 2 * 2 * 2);
    }

    @Test
    void codesDoNotDependOnHowTokensCame() {
        Steps steps = new Steps(new CacheShape(1, 2, 1, 64, 8), 3);
        CacheShape shape = new CacheShape(1, 2, 1, 64, 8);
        try (PagePool pool = Steps.pool();
                KvCache whole = Caches.create(CacheSpec.parse("turboquant(3)"), shape, pool, Steps.sequential());
                KvCache pieces = Caches.create(CacheSpec.parse("turboquant(3)"), shape, pool, Steps.sequential())) {
            steps.feed(whole, 150);
            for (int count : new int[] {1, 31, 40, 5, 73}) {
                steps.feed(pieces, count);
            }
            assertThat(ReadBack.keys(((SequenceCache) pieces).store(0).keys(0), 64))
                    .isDeepEqualTo(
                            ReadBack.keys(((SequenceCache) whole).store(0).keys(0), 64));
        }
    }

    @Test
    void refusesWhatItCannotServe() {
        CacheShape shape = new CacheShape(1, 2, 1, 64, 8);
        for (String spec : new String[] {
            "turboquant(1)", "turboquant(outliers=64)", "turboquant(outliers=20)", "turboquant(bits=4, outliers=16)"
        }) {
            assertThatThrownBy(() -> Caches.estimate(CacheSpec.parse(spec), shape, 10))
                    .isInstanceOf(InvalidInputException.class)
                    .hasMessageStartingWith("turboquant: ")
                    .hasMessageContaining("llowed")
                    .hasMessageNotContaining("\n");
        }
    }

    @Test
    void meanCoordinateIsThatOfTheSphere() {
        assertThat(TurboPart.meanCoordinate(1)).isEqualTo(1);
        assertThat(TurboPart.meanCoordinate(2)).isCloseTo(2 / Math.PI, within(1e-12));
        assertThat(TurboPart.meanCoordinate(3)).isCloseTo(0.5, within(1e-12));
        assertThat(TurboPart.meanCoordinate(1000)).isCloseTo(Math.sqrt(2 / Math.PI / 1000), within(1e-4));
    }

    /** The keys or values that a cache of one head holds after these. */
    private static float[][] read(String spec, float[] keys, float[] values, boolean wantsKeys) {
        try (PagePool pool = Steps.pool();
                KvCache cache = Caches.create(CacheSpec.parse(spec), ONE_HEAD, pool, Steps.sequential())) {
            OneStep.store(cache, keys, values);
            var store = ((SequenceCache) cache).store(0);
            return wantsKeys ? ReadBack.keys(store.keys(0), D) : ReadBack.values(store.values(0), D);
        }
    }

    /** Rows with large channels and of different lengths. */
    private static float[] spiky(int count, Random random) {
        float[] rows = gaussian(count * D, random);
        for (int t = 0; t < count; t++) {
            float size = (float) Math.exp(random.nextGaussian());
            for (int c = 0; c < D; c++) {
                rows[t * D + c] *= size * (c % 17 == 2 ? 8 : 1);
            }
        }
        return rows;
    }

    private static float[] gaussian(int count, Random random) {
        float[] x = new float[count];
        for (int i = 0; i < count; i++) {
            x[i] = (float) random.nextGaussian();
        }
        return x;
    }

    private static float[] unit(float[] x) {
        double length = Math.sqrt(squaredLength(x, 0));
        for (int i = 0; i < x.length; i++) {
            x[i] /= (float) length;
        }
        return x;
    }

    private static double squaredLength(float[] rows, int t) {
        double sum = 0;
        for (int c = 0; c < D; c++) {
            sum += rows[t * D + c] * (double) rows[t * D + c];
        }
        return sum;
    }

    private static double squaredDistance(float[] x, float[] rows, int t) {
        double sum = 0;
        for (int c = 0; c < D; c++) {
            double difference = x[c] - rows[t * D + c];
            sum += difference * difference;
        }
        return sum;
    }

    private static double dot(float[] x, float[] rows, int t) {
        double sum = 0;
        for (int c = 0; c < D; c++) {
            sum += x[c] * (double) rows[t * D + c];
        }
        return sum;
    }
}
