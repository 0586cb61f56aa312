package dev.kvasir.cache.kernel;

import static org.assertj.core.api.Assertions.assertThat;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** The search for entries against its oracle. */
class SparseKeysTest {
    @Test
    void findsWhatTheOracleFinds() {
        Random random = new Random(9);
        try (Arena arena = Arena.ofConfined()) {
            for (int count = 0; count <= SparseKeys.MOST; count++) {
                // Nothing behind the entries at times, other entries at others.
                for (int behind : new int[] {0, 3, 40}) {
                    MemorySegment page = arena.allocate(6 + 4L * (count + behind));
                    for (int i = 0; i < count + behind; i++) {
                        page.set(PackedLayout.INT, 6 + 4L * i, random.nextInt());
                    }
                    int from = random.nextInt(1 << 16);
                    int to = from + random.nextInt((1 << 16) + 1 - from);
                    long expected = SparseKeys.scalar(page, 6, count, from, to);
                    assertThat(SparseKeys.within(page, 6, count, from, to)).isEqualTo(expected);
                    assertThat(SparseKeys.within(page, 6, count, 0, 1 << 16))
                            .isEqualTo(count == 64 ? -1 : (1L << count) - 1);
                }
            }
        }
    }
}
