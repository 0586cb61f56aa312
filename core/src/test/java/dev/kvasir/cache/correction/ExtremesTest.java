package dev.kvasir.cache.correction;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

/** Selection by rank against sorting. */
class ExtremesTest {
    private final Extremes extremes = new Extremes();

    @Test
    void areThoseOfASort() {
        Random random = new Random(1);
        for (int trial = 0; trial < 500; trial++) {
            int count = 1 + random.nextInt(trial < 400 ? 60 : 3000);
            int k = random.nextInt(count / 2 + 1);
            int stride = 1 + random.nextInt(3);
            boolean ties = random.nextBoolean();
            float[] x = new float[3 + count * stride];
            for (int i = 0; i < x.length; i++) {
                x[i] = ties ? random.nextInt(5) - 2 : (float) random.nextGaussian();
            }
            extremes.find(x, 2, stride, count, k);
            extremes.findRest(x, 2, stride, count);
            check(x, 2, stride, count, k);
        }
    }

    private void check(float[] x, int offset, int stride, int count, int k) {
        Comparator<Integer> byValue = Comparator.comparingDouble(i -> x[offset + i * stride]);
        List<Integer> all = IntStream.range(0, count).boxed().toList();
        List<Integer> small = all.stream().sorted(byValue).limit(k).sorted().toList();
        List<Integer> others = all.stream().filter(i -> !small.contains(i)).toList();
        List<Integer> large =
                others.stream().sorted(byValue.reversed()).limit(k).sorted().toList();
        double[] rest = others.stream()
                .filter(i -> !large.contains(i))
                .mapToDouble(i -> x[offset + i * stride])
                .sorted()
                .toArray();
        int[] found = extremes.indices();
        assertThat(Arrays.copyOf(found, k)).containsExactly(small.toArray(Integer[]::new));
        assertThat(Arrays.copyOfRange(found, k, 2 * k)).containsExactly(large.toArray(Integer[]::new));
        if (rest.length == 0) {
            assertThat(extremes.low()).isNaN();
        } else {
            assertThat((double) extremes.low()).isEqualTo(rest[0]);
            assertThat((double) extremes.high()).isEqualTo(rest[rest.length - 1]);
        }
    }

    @Test
    void equalNumbersCountByIndex() {
        float[] x = new float[10];
        x[0] = -0f;
        extremes.find(x, 0, 1, 10, 3);
        assertThat(Arrays.copyOf(extremes.indices(), 6)).containsExactly(0, 1, 2, 3, 4, 5);
    }

    @Test
    void cannotTakeMoreThanThereAre() {
        assertThatThrownBy(() -> extremes.find(new float[5], 0, 1, 5, 3)).hasMessageContaining("3 smallest");
    }
}
