package dev.kvasir.cache.method.vidkv;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Arrays;
import java.util.BitSet;
import java.util.Random;
import org.junit.jupiter.api.Test;

class PositionsTest {
    private final Random random = new Random(8);

    @Test
    void areTheSetThatTheyName() {
        for (int trial = 0; trial < 200; trial++) {
            BitSet set = new BitSet();
            for (int i = random.nextInt(40); i > 0; i--) {
                set.set(random.nextInt(60));
            }
            int[] ascending = set.stream().toArray();
            Positions positions = Positions.parse(SemanticTokens.positions(0, ascending));
            assertThat(positions.count()).isEqualTo(ascending.length);
            for (int p = 0; p < 70; p++) {
                assertThat(positions.contains(p)).isEqualTo(set.get(p));
                assertThat(positions.before(p)).isEqualTo(set.get(0, p).cardinality());
                int end = set.get(p) ? set.nextClearBit(p) : set.nextSetBit(p);
                assertThat(positions.runEnd(p, 65 + p)).isEqualTo(end < 0 ? 65 + p : Math.min(end, 65 + p));
            }
        }
    }

    @Test
    void tokensThatMatchTheTextAreProtected() {
        float[][] visual = new float[100][16];
        float[][] text = new float[7][16];
        for (float[] token : text) {
            token[3] = 1 + random.nextFloat();
            token[5] = random.nextFloat() - 0.5f;
        }
        for (int i = 0; i < 100; i++) {
            visual[i][3] = i % 3 == 0 ? 5 : 0;
            visual[i][7] = random.nextFloat() * 100;
        }
        int[] chosen = SemanticTokens.select(visual, text, 0.33, 32);
        assertThat(chosen).hasSize(32).isSorted();
        assertThat(Arrays.stream(chosen)).allMatch(i -> i % 3 == 0);
        // At least one group, and none of what is not asked for.
        assertThat(SemanticTokens.select(visual, text, 0.01, 32)).hasSize(32);
        assertThat(SemanticTokens.select(visual, text, 0.0, 32)).isEmpty();
        assertThat(SemanticTokens.select(visual, text, 1.0, 32)).hasSize(96);
        assertThat(SemanticTokens.select(new float[20][16], text, 1.0, 32)).isEmpty();
        assertThat(SemanticTokens.positions(10, new int[] {0, 1, 2, 5, 7, 8})).isEqualTo("10..12+15+17..18");
    }
}
