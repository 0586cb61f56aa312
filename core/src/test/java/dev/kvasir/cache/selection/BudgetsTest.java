package dev.kvasir.cache.selection;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** Budgets that differ between layers, or between heads. */
class BudgetsTest {
    private final Random random = new Random(31);

    @Test
    void layersOfAPyramidHaveTogetherWhatEqualOnesWouldHave() {
        for (int round = 0; round < 500; round++) {
            int layers = 2 + random.nextInt(40);
            int beta = 1 + random.nextInt(30);
            int average = 1 + random.nextInt(3000);
            int available = 2 * average + random.nextInt(5000) - 100;
            long sum = 0;
            int before = Integer.MAX_VALUE;
            for (int layer = 0; layer < layers; layer++) {
                int size = new Pyramid(beta, layer, layers).of(average, available);
                assertThat(size).isBetween(0, Math.max(available, average)).isLessThanOrEqualTo(before);
                sum += size;
                before = size;
            }
            assertThat(sum).isEqualTo((long) layers * average);
        }
    }

    @Test
    void aPyramidIsThePublishedOneToTheRounding() {
        // 32 layers, 2048 tokens of which 8 are the window, of a prompt of 10,000: min = 2040 / 20, max = 2 * 2040 -
        // min.
        double fall = (3978 - 102) / 31.0;
        for (int layer = 0; layer < 32; layer++) {
            assertThat((double) new Pyramid(20, layer, 32).of(2040, 9992))
                    .isBetween(3978 - fall * layer - 1, 3978 - fall * layer + 1);
        }
        assertThat(new Pyramid(20, 0, 32).of(2040, 9992)).isEqualTo(3978);
        assertThat(new Pyramid(20, 31, 32).of(2040, 9992)).isEqualTo(102);
        // A prompt that the first layer could not fill: it keeps all, the last one what that leaves.
        assertThat(new Pyramid(20, 0, 32).of(2040, 4090)).isEqualTo(3978);
        assertThat(new Pyramid(20, 0, 2).of(100, 195)).isEqualTo(100);
        assertThat(new Pyramid(1, 7, 32).of(100, 1000)).isEqualTo(100);
    }

    @Test
    void headsShareExactlyWhatThereIs() {
        for (int round = 0; round < 500; round++) {
            int heads = 1 + random.nextInt(9);
            int[] available = random.ints(heads, 0, 200).toArray();
            int total = random.nextInt(Arrays.stream(available).sum() + 1);
            int[] top = new int[heads];
            for (int left = total; left > 0; ) {
                int h = random.nextInt(heads);
                if (top[h] < available[h]) {
                    top[h]++;
                    left--;
                }
            }
            double safeguard = random.nextInt(11) / 10.0;
            int[] sizes = new HeadBudgets(true, safeguard).split(total, top, available);
            assertThat(Arrays.stream(sizes).sum()).isEqualTo(total);
            for (int h = 0; h < heads; h++) {
                assertThat(sizes[h]).isBetween(Math.min(available[h], (int) (safeguard * total / heads)), available[h]);
            }
        }
        assertThat(new HeadBudgets(true, 0).split(100, new int[] {90, 10}, new int[] {500, 500}))
                .containsExactly(90, 10);
        assertThat(new HeadBudgets(true, 0.2).split(100, new int[] {100, 0}, new int[] {500, 500}))
                .containsExactly(90, 10);
        assertThat(new HeadBudgets(true, 1).split(100, new int[] {90, 10}, new int[] {500, 500}))
                .containsExactly(50, 50);
    }

    @Test
    void selectsWhatSortingWould() {
        for (int round = 0; round < 300; round++) {
            int count = 1 + random.nextInt(400);
            long[] numbers =
                    random.longs(count, 0, round % 3 == 0 ? 5 : Long.MAX_VALUE).toArray();
            long[] sorted = numbers.clone();
            Arrays.sort(sorted);
            int index = random.nextInt(count);
            assertThat(Ranks.select(numbers, count, index)).isEqualTo(sorted[index]);
        }
    }
}
