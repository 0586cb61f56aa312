package dev.kvasir.cache.kernel;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.kvasir.cache.kernel.PackedLayout.Axis;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

class KernelsTest {
    private final Kernels scalar = new ScalarKernels();
    private final Kernels vector = new VectorKernels();
    private final Random random = new Random(7);

    static Stream<PackedLayout> layouts() {
        List<PackedLayout> layouts = new ArrayList<>();
        for (Axis axis : Axis.values()) {
            for (int[] shape :
                    new int[][] {{128, 64}, {64, 128}, {128, 80}, {128, 96}, {128, 128}, {96, 128}, {32, 64}}) {
                for (int group : new int[] {16, 32, 64, 128}) {
                    for (int bits : new int[] {2, 4, 8, 3, 5, 6, 1}) {
                        add(layouts, shape[0], shape[1], bits, group, axis, Quantizer.MIN_MAX);
                    }
                }
                add(layouts, shape[0], shape[1], 8, 32, axis, Quantizer.Q8_0);
                add(layouts, shape[0], shape[1], 4, 32, axis, Quantizer.Q4_0);
                add(layouts, shape[0], shape[1], 5, 32, axis, Quantizer.Q5_0);
            }
        }
        return layouts.stream();
    }

    private static void add(
            List<PackedLayout> layouts, int lanes, int depth, int bits, int group, Axis axis, Quantizer q) {
        boolean whole = (axis == Axis.PER_DEPTH ? lanes : depth) % group == 0;
        int run = axis == Axis.PER_DEPTH ? depth : group;
        boolean words = run % 32 == 0 || bits == 2 || bits == 4 || bits == 8;
        if (whole && words) {
            layouts.add(new PackedLayout(lanes, depth, bits, group, axis, q));
        }
    }

    @ParameterizedTest
    @MethodSource("layouts")
    void packsTheSameBits(PackedLayout layout) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment a = arena.allocate(layout.bytes(), 64);
            MemorySegment b = arena.allocate(layout.bytes(), 64);
            float[] in = matrix(layout);
            scalar.pack(
                    layout,
                    a,
                    0,
                    layout.lanes(),
                    0,
                    layout.depth(),
                    in,
                    0,
                    layout.lanes(),
                    new float[Kernels.workSize(layout)]);
            packInPieces(layout, b, in);
            assertThat(a.mismatch(b)).isEqualTo(-1);
        }
    }

    /** Packs with the vector kernels, cut at random borders across the groups. */
    private void packInPieces(PackedLayout layout, MemorySegment page, float[] in) {
        boolean perDepth = layout.axis() == Axis.PER_DEPTH;
        int end = perDepth ? layout.depth() : layout.lanes();
        for (int from = 0; from < end; ) {
            int to = Math.min(end, from + 1 + random.nextInt(40));
            if (perDepth) {
                vector.pack(
                        layout,
                        page,
                        0,
                        layout.lanes(),
                        from,
                        to,
                        in,
                        from * layout.lanes(),
                        layout.lanes(),
                        new float[Kernels.workSize(layout)]);
            } else {
                vector.pack(
                        layout,
                        page,
                        from,
                        to,
                        0,
                        layout.depth(),
                        in,
                        from,
                        layout.lanes(),
                        new float[Kernels.workSize(layout)]);
            }
            from = to;
        }
    }

    @ParameterizedTest
    @MethodSource("layouts")
    void readsWhatTheOracleReads(PackedLayout layout) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment page = arena.allocate(layout.bytes(), 64);
            float[] in = matrix(layout);
            scalar.pack(
                    layout,
                    page,
                    0,
                    layout.lanes(),
                    0,
                    layout.depth(),
                    in,
                    0,
                    layout.lanes(),
                    new float[Kernels.workSize(layout)]);
            int step = layout.axis() == Axis.PER_DEPTH ? layout.group() : 16;
            int deep = layout.axis() == Axis.PER_DEPTH ? 32 : Math.max(32, layout.group());
            int laneFrom = random.nextInt(layout.lanes() / step) * step;
            int laneTo = laneFrom + (1 + random.nextInt((layout.lanes() - laneFrom) / step)) * step;
            int depthFrom = random.nextInt(Math.max(1, layout.depth() / deep)) * deep;
            int depthTo = random.nextBoolean() ? layout.depth() : Math.min(layout.depth(), depthFrom + deep);
            float[] x = floats(layout.depth());
            float[] expected = floats(layout.lanes());
            float[] found = expected.clone();
            float[] work = new float[Kernels.workSize(layout)];
            scalar.accumulate(layout, page, laneFrom, laneTo, depthFrom, depthTo, x, 0, expected, 0, work);
            vector.accumulate(layout, page, laneFrom, laneTo, depthFrom, depthTo, x, 0, found, 0, work);
            assertClose(expected, found, magnitude(layout, page, x));

            float[] dense = new float[layout.depth() * (layout.lanes() + 3)];
            float[] wanted = dense.clone();
            scalar.unpack(layout, page, laneFrom, laneTo, depthFrom, depthTo, wanted, 0, layout.lanes() + 3, work);
            vector.unpack(layout, page, laneFrom, laneTo, depthFrom, depthTo, dense, 0, layout.lanes() + 3, work);
            assertClose(wanted, dense, 20);
        }
    }

    private static float magnitude(PackedLayout layout, MemorySegment page, float[] x) {
        float sum = 1;
        for (int j = 0; j < layout.depth(); j++) {
            sum += Math.abs(x[j]) * (Math.abs(layout.zero(page, j, 0)) + Math.abs(layout.scale(page, j, 0)));
        }
        return sum * 4;
    }

    @Test
    void multipliesDenseMatricesOfAnyShape() {
        for (int trial = 0; trial < 60; trial++) {
            int rows = 1 + trial % 9;
            int depth = 1 + random.nextInt(140);
            int lanes = 1 + random.nextInt(140);
            int stride = Math.max(lanes, 32) + random.nextInt(5);
            float[] x = floats(rows * (depth + 2));
            float[] matrix = floats(stride * depth + 7);
            float[] expected = floats(rows * stride);
            float[] found = expected.clone();
            scalar.sums(x, 1, depth + 1, rows, matrix, 3, stride, depth, lanes, expected, 0, stride);
            vector.sums(x, 1, depth + 1, rows, matrix, 3, stride, depth, lanes, found, 0, stride);
            assertClose(expected, found, 40);
            float[] panel = floats(32 * depth + 5);
            scalar.dots(x, 1, depth + 1, rows, panel, 2, depth, expected, 0, stride);
            vector.dots(x, 1, depth + 1, rows, panel, 2, depth, found, 0, stride);
            assertClose(expected, found, 40);
            assertThat(vector.dot(x, 1, panel, 2, depth)).isCloseTo(scalar.dot(x, 1, panel, 2, depth), within(1e-4f));
        }
    }

    @Test
    void sumsDoNotDependOnWhereTheDepthIsCut() {
        float[] x = floats(100);
        float[] matrix = floats(100 * 80);
        float[] whole = new float[80];
        float[] cut = new float[80];
        vector.sums(x, 0, 0, 1, matrix, 0, 80, 100, 80, whole, 0, 80);
        vector.sums(x, 0, 0, 1, matrix, 0, 80, 37, 80, cut, 0, 80);
        vector.sums(x, 37, 0, 1, matrix, 37 * 80, 80, 63, 80, cut, 0, 80);
        assertThat(cut).isEqualTo(whole);
    }

    @Test
    void everyHalfSurvivesTheRoundTrip() {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment page = arena.allocate(1 << 17, 64);
            MemorySegment other = arena.allocate(1 << 17, 64);
            for (Element element : List.of(Element.F16, Element.BF16)) {
                for (int i = 0; i < 1 << 16; i++) {
                    page.setAtIndex(ValueLayout.JAVA_SHORT, i, (short) i);
                }
                float[] expected = new float[1 << 16];
                float[] found = new float[1 << 16];
                scalar.decode(element, page, 0, 1 << 16, expected, 0);
                vector.decode(element, page, 0, (1 << 16) - 3, found, 0);
                vector.decode(element, page, 131072 - 6, 3, found, 65533);
                for (int i = 0; i < 1 << 16; i++) {
                    if (Float.isFinite(expected[i])) {
                        assertThat(Float.floatToRawIntBits(found[i])).isEqualTo(Float.floatToRawIntBits(expected[i]));
                    } else {
                        expected[i] = 1;
                    }
                }
                scalar.encode(element, expected, 0, 1 << 16, page, 0);
                vector.encode(element, expected, 0, 1 << 16, other, 0);
                assertThat(page.mismatch(other)).isEqualTo(-1);
            }
        }
    }

    @Test
    void roundsToTheNearestElementAndNeverToInfinity() {
        try (Arena arena = Arena.ofConfined()) {
            float[] in = {
                1e30f, -1e30f, 65504f, 65530f, 1e-8f, 3.1415927f, -0f, 1.0009764f, 5.9e-8f, 0, 1, 2, 3, 4, 5, 6, 7
            };
            for (Element element : Element.values()) {
                MemorySegment page = arena.allocate(in.length * 4L, 64);
                vector.encode(element, in, 0, in.length, page, 0);
                float[] out = new float[in.length];
                vector.decode(element, page, 0, in.length, out, 0);
                for (int i = 0; i < in.length; i++) {
                    assertThat(out[i]).isFinite().isEqualTo(element.round(in[i]));
                }
            }
        }
    }

    @Test
    void exponentialIsAccurate() {
        int count = 100_003;
        float[] x = new float[count];
        for (int i = 0; i < count; i++) {
            x[i] = -87f * i / count;
        }
        float[] weights = x.clone();
        float sum = vector.expSum(weights, 0, count, 0);
        double expectedSum = 0;
        for (int i = 0; i < count; i++) {
            double expected = Math.exp(x[i]);
            expectedSum += expected;
            assertThat(Math.abs(weights[i] - expected) / expected).isLessThan(3e-7);
        }
        assertThat(sum / expectedSum).isCloseTo(1, within(1e-5));
    }

    @Test
    void exponentialOfVeryNegativeNumbersIsZero() {
        float[] x = new float[33];
        java.util.Arrays.fill(x, Float.NEGATIVE_INFINITY);
        x[5] = -1000;
        x[20] = 3;
        assertThat(vector.max(x, 0, 33)).isEqualTo(3);
        assertThat(vector.expSum(x, 0, 33, 3)).isEqualTo(1);
        assertThat(x[5]).isZero();
        assertThat(x[32]).isZero();
    }

    private float[] matrix(PackedLayout layout) {
        float[] in = floats(layout.depth() * layout.lanes());
        // Constant groups, and a tie between the extremes of both signs.
        for (int i = 0; i < in.length; i++) {
            int lane = i % layout.lanes();
            int depth = i / layout.lanes();
            if (lane < 16 && depth < 32) {
                in[i] = 1.5f;
            } else if (in[i] > 2.5f || in[i] < -2.5f) {
                in[i] = in[i] > 0 ? 2.5f : -2.5f;
            }
        }
        return in;
    }

    private float[] floats(int count) {
        float[] floats = new float[count];
        for (int i = 0; i < count; i++) {
            floats[i] = (float) random.nextGaussian();
        }
        return floats;
    }

    private static void assertClose(float[] expected, float[] found, float magnitude) {
        for (int i = 0; i < expected.length; i++) {
            assertThat(found[i]).as("index %d", i).isCloseTo(expected[i], within(1e-6f * magnitude + 1e-5f));
        }
    }
}
