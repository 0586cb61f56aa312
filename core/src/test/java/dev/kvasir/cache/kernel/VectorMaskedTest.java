package dev.kvasir.cache.kernel;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.kvasir.cache.kernel.PackedLayout.Axis;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Random;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class VectorMaskedTest {
    private final Random random = new Random(11);

    @ParameterizedTest
    @CsvSource({"2, 32", "2, 64", "2, 128", "4, 32", "4, 64", "4, 128"})
    void sumsWhatTheOracleSums(int bits, int group) {
        for (int round = 0; round < 40; round++) {
            int step = PackedLayout.UNIT;
            int depth = step * (1 + random.nextInt(6));
            int lanes = group * (1 + random.nextInt(3));
            PackedLayout layout = new PackedLayout(lanes, depth, bits, group, Axis.PER_DEPTH, Quantizer.MIN_MAX);
            int from = step * random.nextInt(depth / step);
            int to = from + step * (1 + random.nextInt((depth - from) / step));
            assertThat(VectorMasked.serves(layout)).isEqualTo(Species.V == 16);
            assertSums(layout, from, to, 1 + random.nextInt(9));
        }
    }

    private void assertSums(PackedLayout layout, int from, int to, int rows) {
        int lanes = layout.lanes();
        int count = to - from;
        float[] in = normal(lanes * layout.depth());
        float[] x = normal(rows * count);
        float[] work = new float[Kernels.workSize(layout)];
        float[] wanted = normal(rows * (lanes + 3));
        float[] found = wanted.clone();
        Kernels oracle = new ScalarKernels();
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment page = arena.allocate(layout.bytes(), 64);
            oracle.pack(layout, page, 0, lanes, 0, layout.depth(), in, 0, lanes, work);
            oracle.accumulateRows(
                    layout, page, 0, lanes, from, to, x, 0, count, rows, wanted, 0, lanes + 3, work.clone());
            new VectorKernels()
                    .accumulateRows(layout, page, 0, lanes, from, to, x, 0, count, rows, found, 0, lanes + 3, work);
        }
        // Terms of unit size, some 24 of whose bits survive.
        float tolerance = 2e-4f * (1 + (float) Math.sqrt(count));
        for (int i = 0; i < wanted.length; i++) {
            assertThat(found[i]).as("%s, number %d", layout, i).isCloseTo(wanted[i], within(tolerance));
        }
    }

    private float[] normal(int count) {
        float[] numbers = new float[count];
        for (int i = 0; i < count; i++) {
            numbers[i] = (float) random.nextGaussian();
        }
        return numbers;
    }
}
