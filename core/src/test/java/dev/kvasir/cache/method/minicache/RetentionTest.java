package dev.kvasir.cache.method.minicache;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kvasir.cache.CacheFileException;
import dev.kvasir.cache.method.minicache.Retention.Mode;
import dev.kvasir.cache.method.minicache.Retention.Rule;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** Which tokens stay exact. */
class RetentionTest {
    private static final Rule RANGE = new Rule(Mode.RANGE, 0.05, 0.05);

    private static boolean[] decide(Retention retention, int first, double... distances) {
        boolean[] retained = new boolean[distances.length];
        retention.decide(distances, distances.length, first, 0, retained);
        return retained;
    }

    @Test
    void theUpperPartOfTheRangeIsKeptNotAShareOfTheTokens() {
        Retention retention = new Retention(RANGE);
        double[] distances = new double[1000];
        for (int i = 0; i < distances.length; i++) {
            distances[i] = 0.2 + 1e-5 * i;
        }
        distances[500] = 0.5;
        boolean[] retained = decide(retention, 0, distances);
        for (int i = 0; i < distances.length; i++) {
            assertThat(retained[i]).isEqualTo(i == 500);
        }
        // 0.5 - 0.05 (0.5 - 0.2) = 0.485; the range grows, and nobody is asked again.
        assertThat(decide(retention, 1000, 0.484, 0.486)).containsExactly(false, true);
        assertThat(decide(retention, 1002, 0.9, 0.5)).containsExactly(true, false);
        assertThat(decide(retention, 1004, 0.86)).containsExactly(false);
    }

    @Test
    void nothingOfTheRangeIsTheMaximumAndAllOfItIsEverything() {
        double[] distances = new Random(2).doubles(50, 0, 1).toArray();
        int most = 0;
        for (int i = 0; i < 50; i++) {
            most = distances[i] > distances[most] ? i : most;
        }
        boolean[] least = decide(new Retention(new Rule(Mode.RANGE, 0, 0)), 0, distances);
        boolean[] all = decide(new Retention(new Rule(Mode.RANGE, 1, 0)), 0, distances);
        for (int i = 0; i < 50; i++) {
            assertThat(least[i]).isEqualTo(i == most);
            assertThat(all[i]).isTrue();
        }
        assertThat(decide(new Retention(new Rule(Mode.OFF, 1, 1)), 0, distances))
                .containsOnly(false);
    }

    @Test
    void whatWasForgottenLeavesNoTrace() {
        Random random = new Random(7);
        for (int trial = 0; trial < 200; trial++) {
            Retention forgetful = new Retention(RANGE);
            Retention straight = new Retention(RANGE);
            int size = 0;
            while (size < 200) {
                double[] next = random.doubles(1 + random.nextInt(20), 0, 1).toArray();
                assertThat(decide(forgetful, size, next)).isEqualTo(decide(straight, size, next));
                size += next.length;
                if (random.nextBoolean()) {
                    decide(forgetful, size, random.doubles(30, 0, 1).toArray());
                    assertThat(forgetful.smallestSize()).isLessThanOrEqualTo(size);
                    forgetful.truncate(size);
                }
            }
        }
    }

    @Test
    void aHistoryThatIsTooLongLimitsHowFarItGoesBack() {
        Retention retention = new Retention(RANGE);
        for (int i = 0; i < 60; i++) {
            decide(retention, i, i / 100.0);
        }
        int smallest = retention.smallestSize();
        assertThat(smallest).isBetween(1, 20);
        retention.truncate(smallest);
        Retention straight = new Retention(RANGE);
        for (int i = 0; i < smallest; i++) {
            decide(straight, i, i / 100.0);
        }
        double[] next = new Random(3).doubles(100, 0, 0.3).toArray();
        assertThat(decide(retention, smallest, next)).isEqualTo(decide(straight, smallest, next));
    }

    @Test
    void whatIsReadIsCheckedFirst() throws IOException {
        Retention retention = new Retention(RANGE);
        decide(retention, 0, 0.5, 0.4);
        decide(retention, 2, 0.6);
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        retention.write(new DataOutputStream(out));
        byte[] bytes = out.toByteArray();
        Retention copy = new Retention(RANGE);
        copy.read(new DataInputStream(new ByteArrayInputStream(bytes)), 3);
        double[] next = new Random(3).doubles(50, 0.3, 0.7).toArray();
        assertThat(decide(copy, 3, next)).isEqualTo(decide(retention, 3, next));
        // Steps: 0, 3, 2^31 - 1; a start that goes back; a least above the most.
        for (int[] change : new int[][] {{4, 0}, {4, 49}, {1, 0x7f}, {8, 9}, {28, 0}, {9, 0x40}}) {
            byte[] damaged = bytes.clone();
            damaged[change[0]] = (byte) change[1];
            assertThatThrownBy(
                            () -> new Retention(RANGE).read(new DataInputStream(new ByteArrayInputStream(damaged)), 3))
                    .as("byte %d", change[0])
                    .isInstanceOf(CacheFileException.class)
                    .hasMessageContaining("allowed are");
        }
    }
}
