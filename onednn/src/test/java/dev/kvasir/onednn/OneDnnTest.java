package dev.kvasir.onednn;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.kvasir.tensor.ProductLibrary;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Random;
import java.util.ServiceLoader;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class OneDnnTest {
    private static final OneDnn LIBRARY = new OneDnn();
    private final Random random = new Random(4);

    private static void assumeFast() {
        assumeTrue(LIBRARY.isFast(), "bf16 products are not fast here: " + LIBRARY.name());
    }

    @Test
    void isFound() {
        assertThat(ServiceLoader.load(ProductLibrary.class)).hasAtLeastOneElementOfType(OneDnn.class);
        assertThat(LIBRARY.name()).isNotBlank();
    }

    private MemorySegment bf16(Arena arena, int count) {
        MemorySegment data = arena.allocate(2L * count, 64);
        for (int i = 0; i < count; i++) {
            data.setAtIndex(
                    ValueLayout.JAVA_SHORT, i, (short) (Float.floatToRawIntBits((float) random.nextGaussian()) >>> 16));
        }
        return data;
    }

    private static double at(MemorySegment data, int i) {
        return Float.intBitsToFloat(data.getAtIndex(ValueLayout.JAVA_SHORT, i) << 16);
    }

    @ParameterizedTest
    @CsvSource({"9, 64, 32", "70, 5, 33", "128, 128, 96", "512, 64, 200", "17, 1, 1"})
    void multiplies(int tokens, int rows, int columns) {
        assumeFast();
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment x = bf16(arena, tokens * columns);
            MemorySegment weights = bf16(arena, rows * columns);
            MemorySegment out = arena.allocate(4L * tokens * rows, 64);
            LIBRARY.multiply(x, tokens, weights, rows, columns, out);
            for (int t = 0; t < tokens; t++) {
                for (int r = 0; r < rows; r++) {
                    double sum = 0;
                    double size = 0;
                    for (int c = 0; c < columns; c++) {
                        double product = at(x, t * columns + c) * at(weights, r * columns + c);
                        sum += product;
                        size += Math.abs(product);
                    }
                    assertThat((double) out.getAtIndex(ValueLayout.JAVA_FLOAT, (long) t * rows + r))
                            .isCloseTo(sum, within(1e-5 * (1 + size)));
                }
            }
        }
    }

    /** More shapes than are kept, several times: those that leave must take their memory along. */
    @Test
    void manyShapesDoNotPileUp() {
        assumeFast();
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment x = bf16(arena, 300 * 64);
            MemorySegment weights = bf16(arena, 64 * 64);
            MemorySegment out = arena.allocate(4L * 300 * 64, 64);
            for (int round = 0; round < 3; round++) {
                for (int tokens = 9; tokens < 300; tokens += 2) {
                    LIBRARY.multiply(x, tokens, weights, 64, 64, out);
                }
            }
            double sum = 0;
            for (int c = 0; c < 64; c++) {
                sum += at(x, c) * at(weights, c);
            }
            assertThat((double) out.get(ValueLayout.JAVA_FLOAT, 0)).isCloseTo(sum, within(1e-3));
        }
    }
}
