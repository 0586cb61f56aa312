package dev.kvasir.cache.kernel;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.fail;
import static org.assertj.core.api.Assertions.within;

import dev.kvasir.cache.kernel.PackedLayout.Axis;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Every quantizer, on both axes and odd shapes: the vector kernels against the oracle, the oracle against its definition. */
class QuantizersTest {
    private static final float[] LLOYD_MAX = {-1.51f, -0.4528f, 0.4528f, 1.51f};
    private static final int[][] SHAPES = {{128, 64}, {64, 40}, {80, 160}, {32, 36}};

    private final Kernels scalar = new ScalarKernels();
    private final Kernels vector = new VectorKernels();
    private final Random random = new Random(11);

    /** Quantizers that find their own scales, with a width each. */
    static List<Object[]> quantizers() {
        List<Object[]> all = new ArrayList<>();
        for (int bits : new int[] {1, 2, 3, 4, 5, 6, 8, PackedLayout.TRITS}) {
            all.add(new Object[] {Quantizer.MIN_MAX, bits});
            if (bits == 2 || bits == 3 || bits == 4 || bits == 8) {
                all.add(new Object[] {Quantizer.QSERVE, bits});
                all.add(new Object[] {Quantizer.rotate(bits == 2 ? 0.8f : 1f, ScaleFormat.E4M3), bits});
                all.add(new Object[] {Quantizer.rotate(1, ScaleFormat.F16), bits});
            }
            if (bits > 1) {
                all.add(new Object[] {Quantizer.symmetric(bits), bits});
                all.add(new Object[] {Quantizer.blockFloat(bits), bits});
            }
        }
        for (Quantizer quantizer : List.of(
                Quantizer.Q8_0,
                Quantizer.Q5_0,
                Quantizer.Q5_1,
                Quantizer.Q4_0,
                Quantizer.Q4_1,
                Quantizer.IQ4_NL,
                Quantizer.SIGN,
                Quantizer.ternary(0.7f))) {
            all.add(new Object[] {quantizer, quantizer.bits()});
        }
        return all;
    }

    static Stream<PackedLayout> layouts() {
        return quantizers().stream().flatMap(q -> shaped((Quantizer) q[0], (int) q[1]));
    }

    /** Quantizers whose scales and zeros are given. */
    static Stream<PackedLayout> givenLayouts() {
        List<PackedLayout> layouts = new ArrayList<>();
        for (int bits = 1; bits <= 4; bits++) {
            float[] levels = ascending(bits, 5);
            float[] others = ascending(bits, 6);
            for (ScaleFormat scale : ScaleFormat.values()) {
                for (ZeroFormat zero : List.of(ZeroFormat.NONE, ZeroFormat.F16)) {
                    Quantizer codebook = Quantizer.codebook(levels, others, scale, zero);
                    shaped(codebook, bits).forEach(layouts::add);
                }
            }
        }
        for (ZeroFormat zero : ZeroFormat.values()) {
            for (int bits : new int[] {PackedLayout.TRITS, 1, 3, 4, 8}) {
                shaped(Quantizer.linear(ScaleFormat.F16, zero), bits).forEach(layouts::add);
            }
        }
        shaped(Quantizer.linear(ScaleFormat.NONE, ZeroFormat.NONE), 5).forEach(layouts::add);
        shaped(Quantizer.MIN_MAX, 2).forEach(layouts::add);
        shaped(Quantizer.Q4_1, 4).forEach(layouts::add);
        shaped(Quantizer.symmetric(4), 4).forEach(layouts::add);
        return layouts.stream();
    }

    private static Stream<PackedLayout> shaped(Quantizer quantizer, int bits) {
        List<PackedLayout> layouts = new ArrayList<>();
        for (int[] shape : SHAPES) {
            for (int group : new int[] {16, 32, 20, shape[0], shape[1]}) {
                for (Axis axis : Axis.values()) {
                    int grouped = axis == Axis.PER_DEPTH ? shape[0] : shape[1];
                    if (grouped % group == 0 && (axis == Axis.PER_LANE || group % 16 == 0)) {
                        layouts.add(new PackedLayout(shape[0], shape[1], bits, group, axis, quantizer));
                    }
                }
            }
        }
        return layouts.stream();
    }

    private static float[] ascending(int bits, int seed) {
        Random random = new Random(seed);
        float[] levels = new float[1 << bits];
        for (int i = 0; i < levels.length; i++) {
            levels[i] = -1.2f + (i + 0.8f * random.nextFloat()) * 2.4f / levels.length;
        }
        return levels;
    }

    @ParameterizedTest
    @MethodSource("layouts")
    void bothKernelsPackTheSameBits(PackedLayout layout) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment a = page(arena, layout);
            MemorySegment b = arena.allocate(layout.bytes(), 64).copyFrom(a);
            float[] in = matrix(layout);
            pack(scalar, layout, a, in);
            int end = layout.axis() == Axis.PER_DEPTH ? layout.depth() : layout.lanes();
            for (int from = 0, to; from < end; from = to) {
                to = Math.min(end, from + 1 + random.nextInt(40));
                boolean deep = layout.axis() == Axis.PER_DEPTH;
                vector.pack(
                        layout,
                        b,
                        deep ? 0 : from,
                        deep ? layout.lanes() : to,
                        deep ? from : 0,
                        deep ? to : layout.depth(),
                        in,
                        deep ? from * layout.lanes() : from,
                        layout.lanes(),
                        work(layout));
            }
            assertThat(a.mismatch(b)).isEqualTo(-1);
        }
    }

    @ParameterizedTest
    @MethodSource("givenLayouts")
    void bothKernelsPackTheSameBitsWithGivenParameters(PackedLayout layout) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment a = page(arena, layout);
            MemorySegment b = arena.allocate(layout.bytes(), 64).copyFrom(a);
            float[] in = matrix(layout);
            float[] scales = scales(layout);
            float[] zeros = floats(scales.length);
            int lanes = layout.lanes();
            int depth = layout.depth();
            scalar.packGiven(layout, a, 0, lanes, 0, depth, in, 0, lanes, scales, zeros, 0, work(layout));
            vector.packGiven(layout, b, 0, lanes, 0, depth, in, 0, lanes, scales, zeros, 0, work(layout));
            assertThat(a.mismatch(b)).isEqualTo(-1);
            // Any part, cut anywhere.
            int laneFrom = random.nextInt(lanes);
            int laneTo = laneFrom + 1 + random.nextInt(lanes - laneFrom);
            int depthFrom = random.nextInt(depth);
            int depthTo = depthFrom + 1 + random.nextInt(depth - depthFrom);
            scalar.packGiven(
                    layout,
                    a,
                    laneFrom,
                    laneTo,
                    depthFrom,
                    depthTo,
                    in,
                    3,
                    lanes,
                    scales,
                    new float[0],
                    0,
                    work(layout));
            vector.packGiven(
                    layout,
                    b,
                    laneFrom,
                    laneTo,
                    depthFrom,
                    depthTo,
                    in,
                    3,
                    lanes,
                    scales,
                    new float[0],
                    0,
                    work(layout));
            assertThat(a.mismatch(b)).isEqualTo(-1);
        }
    }

    @ParameterizedTest
    @MethodSource("layouts")
    void readsWhatTheOracleReads(PackedLayout layout) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment page = page(arena, layout);
            pack(scalar, layout, page, matrix(layout));
            assertReads(layout, page);
        }
    }

    @ParameterizedTest
    @MethodSource("givenLayouts")
    void readsGivenParametersAsTheOracleDoes(PackedLayout layout) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment page = page(arena, layout);
            float[] scales = scales(layout);
            float[] zeros = floats(scales.length);
            int lanes = layout.lanes();
            scalar.packGiven(
                    layout,
                    page,
                    0,
                    lanes,
                    0,
                    layout.depth(),
                    matrix(layout),
                    0,
                    lanes,
                    scales,
                    zeros,
                    0,
                    work(layout));
            assertReads(layout, page);
        }
    }

    /** What was unpacked row by row, in reversed order. */
    private void assertRows(
            PackedLayout layout,
            MemorySegment page,
            int laneFrom,
            int laneTo,
            int depthFrom,
            int depthTo,
            float[] wanted,
            int stride,
            float tolerance) {
        int[] rows = new int[layout.depth()];
        Arrays.setAll(rows, j -> layout.depth() - 1 - j);
        float[] work = work(layout);
        for (Kernels kernels : new Kernels[] {scalar, vector}) {
            float[] found = new float[1 + layout.depth() * stride];
            Arrays.fill(work, 1e30f);
            kernels.unpackRows(layout, page, laneFrom, laneTo, depthFrom, depthTo, rows, found, 1, stride, work);
            for (int j = depthFrom; j < depthTo; j++) {
                for (int i = 0; i < laneTo - laneFrom; i++) {
                    assertThat(found[1 + rows[j] * stride + i])
                            .isCloseTo(wanted[(j - depthFrom) * stride + i], within(tolerance));
                }
            }
        }
    }

    /** Codebooks whose scales are known elsewhere. */
    static Stream<PackedLayout> bareLayouts() {
        return givenLayouts()
                .filter(layout -> layout.quantizer().isCodebook()
                        && layout.quantizer().parameterBytes() == 0
                        && layout.group() == layout.lanes()
                        && layout.axis() == Axis.PER_DEPTH);
    }

    @ParameterizedTest
    @MethodSource("bareLayouts")
    void readsUnderGivenScalesAsTheOracleDoes(PackedLayout layout) {
        int unit = PackedLayout.UNIT;
        int lanes = layout.lanes();
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment page = page(arena, layout);
            for (int trial = 0; trial < 6; trial++) {
                int lane = random.nextInt(lanes / unit - 1) * unit;
                int depthFrom = random.nextInt(layout.depth() / unit) * unit;
                int depthTo = depthFrom + (1 + random.nextInt((layout.depth() - depthFrom) / unit)) * unit;
                float[] scales = floats(layout.depth() + 3);
                float[] zeros = floats(layout.depth() + 3);
                float[] expected = new float[layout.depth() * Kernels.PANEL + 2];
                float[] found = expected.clone();
                scalar.unpackGiven(layout, page, lane, depthFrom, depthTo, scales, zeros, 3, expected, 2);
                vector.unpackGiven(layout, page, lane, depthFrom, depthTo, scales, zeros, 3, found, 2);
                assertThat(found).isEqualTo(expected);
            }
        }
    }

    @ParameterizedTest
    @MethodSource("bareLayouts")
    void scoresTurnedKeysAsTheOracleDoes(PackedLayout layout) {
        int unit = PackedLayout.UNIT;
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment page = page(arena, layout);
            for (int half = unit; 2 * half <= layout.depth(); half += unit) {
                int lane = random.nextInt(layout.lanes() / unit - 1) * unit;
                int depthFrom = random.nextInt((layout.depth() - 2 * half) / unit + 1) * unit;
                float[] scales = floats(layout.depth() + 3);
                float[] zeros = floats(layout.depth() + 3);
                float[] cosines = floats(half * Kernels.PANEL);
                float[] sines = floats(half * Kernels.PANEL);
                float[] query = floats(2 * half + 1);
                float[] expected = new float[Kernels.PANEL + 2];
                float[] found = expected.clone();
                scalar.turnedScores(
                        layout, page, lane, depthFrom, half, scales, zeros, 3, cosines, sines, query, 1, expected, 2);
                vector.turnedScores(
                        layout, page, lane, depthFrom, half, scales, zeros, 3, cosines, sines, query, 1, found, 2);
                for (int i = 0; i < found.length; i++) {
                    assertThat(found[i]).isCloseTo(expected[i], within(1e-5f * half + 1e-5f * Math.abs(expected[i])));
                }
            }
        }
    }

    /** Reads random parts: any units of lanes, any depths. */
    private void assertReads(PackedLayout layout, MemorySegment page) {
        int unit = PackedLayout.UNIT;
        for (int trial = 0; trial < 4; trial++) {
            int laneFrom = random.nextInt(layout.lanes() / unit) * unit;
            int laneTo = laneFrom + (1 + random.nextInt((layout.lanes() - laneFrom) / unit)) * unit;
            int depthFrom = trial == 0 ? 0 : random.nextInt(layout.depth());
            int depthTo = trial == 0 ? layout.depth() : depthFrom + 1 + random.nextInt(layout.depth() - depthFrom);
            float[] x = floats(layout.depth());
            float[] expected = floats(layout.lanes());
            float[] found = expected.clone();
            float[] work = work(layout);
            // What a kernel finds in its work must not matter.
            Arrays.fill(work, 1e30f);
            scalar.accumulate(layout, page, laneFrom, laneTo, depthFrom, depthTo, x, 0, expected, 0, work);
            vector.accumulate(layout, page, laneFrom, laneTo, depthFrom, depthTo, x, 0, found, 0, work);
            int stride = layout.lanes() + 3;
            float[] dense = new float[layout.depth() * stride];
            float[] wanted = dense.clone();
            scalar.unpack(layout, page, laneFrom, laneTo, depthFrom, depthTo, wanted, 0, stride, work);
            vector.unpack(layout, page, laneFrom, laneTo, depthFrom, depthTo, dense, 0, stride, work);
            float largest = 1;
            for (int lane = laneFrom; lane < laneTo; lane++) {
                for (int j = depthFrom; j < depthTo; j++) {
                    float zero = Math.abs(layout.zero(page, j, lane));
                    largest = Math.max(largest, zero + 8 * Math.abs(layout.scale(page, j, lane)));
                }
            }
            assertClose(wanted, dense, 1e-6f * largest);
            if (layout.axis() == Axis.PER_LANE
                    && !layout.quantizer().isCodebook()
                    && layout.bits() != PackedLayout.TRITS) {
                assertRows(layout, page, laneFrom, laneTo, depthFrom, depthTo, wanted, stride, 1e-6f * largest);
            }
            float tolerance = 1e-6f * largest * layout.depth();
            assertClose(expected, found, tolerance);
            int rows = 1 + random.nextInt(6);
            int d = layout.depth();
            int l = layout.lanes();
            float[] many = floats(rows * (d + 1));
            float[] wantedRows = floats(rows * (l + 5));
            float[] foundRows = wantedRows.clone();
            Arrays.fill(work, 1e30f);
            scalar.accumulateRows(
                    layout,
                    page,
                    laneFrom,
                    laneTo,
                    depthFrom,
                    depthTo,
                    many,
                    0,
                    d + 1,
                    rows,
                    wantedRows,
                    0,
                    l + 5,
                    work);
            vector.accumulateRows(
                    layout, page, laneFrom, laneTo, depthFrom, depthTo, many, 0, d + 1, rows, foundRows, 0, l + 5,
                    work);
            assertClose(wantedRows, foundRows, tolerance);
        }
    }

    @ParameterizedTest
    @MethodSource("layouts")
    void staysWithinItsErrorBound(PackedLayout layout) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment page = page(arena, layout);
            float[] in = floats(layout.depth() * layout.lanes());
            pack(vector, layout, page, in);
            double squares = 0;
            double errors = 0;
            for (int j = 0; j < layout.depth(); j++) {
                for (int lane = 0; lane < layout.lanes(); lane++) {
                    float x = in[j * layout.lanes() + lane];
                    float found = layout.value(page, j, lane);
                    squares += x * x;
                    errors += (x - found) * (x - found);
                    float bound = bound(layout, x, layout.scale(page, j, lane));
                    if (!(Math.abs(x - found) <= bound)) {
                        fail("%s at [%d][%d]: %s became %s, bound %s", layout, j, lane, x, found, bound);
                    }
                }
            }
            int size = layout.lanes() * layout.depth();
            if (layout.quantizer() == Quantizer.SIGN && size > 5000) {
                // 1 - 2 / pi for Gaussian numbers.
                assertThat(errors / squares).isCloseTo(0.363, within(0.04));
            }
            if (layout.bits() == PackedLayout.TRITS
                    && layout.quantizer().rule() == Quantizer.Rule.TERNARY
                    && size > 5000) {
                assertThat(errors / squares).isCloseTo(0.19, within(0.03));
            }
        }
    }

    /** What x may miss by: half a step, what F16 rounds off scale and zero, and what a type clips by its definition. */
    private static float bound(PackedLayout layout, float x, float scale) {
        Quantizer quantizer = layout.quantizer();
        float step = Math.abs(scale);
        float half = 0.5f * step + 0.002f * Math.abs(x) + 0.004f;
        return switch (quantizer.rule()) {
            case MIN_MAX, SYMMETRIC, QSERVE -> half;
            case GGML_RANGE -> half + 0.001f * step * layout.most();
            // The largest of the other sign is clipped by up to a step.
            case GGML_EXTREME -> half + 0.5f * step + 0.001f * step * layout.most();
            case GGML_CODEBOOK -> 16 * step + 0.03f * Math.abs(x);
            // A maximum in (most, most + 1/2) steps and beyond, up to twice the exponent, is clipped: most + 1 = 2 *
            // 2^E.
            case BLOCK_FLOAT -> half + 0.5f * step;
            case ROTATE -> quantizer.constant() < 1 ? 2.2f * step : 0.501f * step;
            default -> 6;
        };
    }

    private static float[] group(float... first) {
        return Arrays.copyOf(first, 16);
    }

    /** Packs one group along the depth in lane 0 and along the lanes at depth 0; both must agree. */
    private Group one(Quantizer quantizer, int bits, float... numbers) {
        PackedLayout deep = new PackedLayout(16, numbers.length, bits, numbers.length, Axis.PER_LANE, quantizer);
        PackedLayout wide = new PackedLayout(numbers.length, 32, bits, numbers.length, Axis.PER_DEPTH, quantizer);
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment page = page(arena, deep);
            MemorySegment other = page(arena, wide);
            vector.pack(deep, page, 0, 1, 0, numbers.length, numbers, 0, 1, work(deep));
            vector.pack(wide, other, 0, numbers.length, 0, 1, numbers, 0, numbers.length, work(wide));
            int[] codes = new int[numbers.length];
            float[] values = new float[numbers.length];
            for (int i = 0; i < codes.length; i++) {
                codes[i] = deep.code(page, i, 0);
                values[i] = deep.value(page, i, 0);
                assertThat(wide.code(other, 0, i)).isEqualTo(codes[i]);
                assertThat(wide.value(other, 0, i)).isEqualTo(values[i]);
            }
            return new Group(deep.scale(page, 0, 0), deep.zero(page, 0, 0), codes, values);
        }
    }

    private record Group(float scale, float zero, int[] codes, float[] values) {}

    /** The example of bfp.md, and what clips: p = 4, maximum 5.3 has exponent 2, step 1. */
    @Test
    void blockFloatSharesTheExponentOfTheLargest() {
        Group outlier = one(Quantizer.blockFloat(4), 4, group(5.3f, 0.4f, -0.5f, -1.5f, 2.5f));
        assertThat(outlier.scale).isEqualTo(1);
        assertThat(Arrays.copyOf(outlier.values, 5)).containsExactly(5, 0, 0, -2, 2);
        Group calm = one(Quantizer.blockFloat(4), 4, group(0.9f, 0.4f));
        assertThat(calm.scale).isEqualTo(0.125f);
        assertThat(Arrays.copyOf(calm.values, 2)).containsExactly(0.875f, 0.375f);
        // 7.9 would round to 8: clipped to 7, the exponent stays.
        assertThat(one(Quantizer.blockFloat(4), 4, group(7.9f, -7.9f)).values).startsWith(7, -7);
        assertThat(one(Quantizer.blockFloat(8), 8, group(3f, 0.01f)).scale).isEqualTo(0x1p-5f);
        Group zero = one(Quantizer.blockFloat(4), 4, group(0f, -0f));
        assertThat(zero.values).containsOnly(0f);
        assertThat(zero.scale).isEqualTo(0x1p-126f * 0.25f);
        Group tiny = one(Quantizer.blockFloat(8), 8, group(1e-39f, -0.5e-39f));
        assertThat(tiny.values[0]).isCloseTo(1e-39f, within(1e-40f));
        Group once = one(Quantizer.blockFloat(6), 6, group(1.23f, -0.77f, 0.031f, 2.9f));
        assertThat(one(Quantizer.blockFloat(6), 6, once.values).values).isEqualTo(once.values);
    }

    /** max 7.5, min 0: d = 0.5; min -1.5, max 6: d = 0.5, m = -1.5. */
    @Test
    void ggmlsRangeTypesKeepScaleAndMinimum() {
        Group positive = one(Quantizer.Q4_1, 4, group(7.5f, 0.25f, 0.24f, 3));
        assertThat(positive.scale).isEqualTo(0.5f);
        assertThat(positive.zero).isZero();
        assertThat(Arrays.copyOf(positive.codes, 4)).containsExactly(15, 1, 0, 6);
        Group mixed = one(Quantizer.Q4_1, 4, group(-1.5f, 6, 0.25f, -0.3f));
        assertThat(mixed.zero).isEqualTo(-1.5f);
        assertThat(Arrays.copyOf(mixed.codes, 4)).containsExactly(0, 15, 4, 2);
        Group five = one(Quantizer.Q5_1, 5, group(0f, 31, 15.5f, 15.4f));
        assertThat(five.scale).isEqualTo(1);
        assertThat(Arrays.copyOf(five.codes, 4)).containsExactly(0, 31, 16, 15);
    }

    /** Extreme -127: codes are made with scale 1; midpoints belong to the upper level; x = levels are fitted exactly. */
    @Test
    void ggmlsCodebookFitsItsScale() {
        Group exact = one(Quantizer.IQ4_NL, 4, group(-127, 113, 1, 13, -10, 38));
        assertThat(Arrays.copyOf(exact.codes, 6)).containsExactly(0, 15, 8, 9, 7, 11);
        assertThat(exact.codes[6]).isEqualTo(8);
        assertThat(exact.scale).isEqualTo(1);
        Group ties = one(Quantizer.IQ4_NL, 4, group(-127, -4.5f, -4.51f, 101, 100.9f));
        assertThat(Arrays.copyOf(ties.codes, 5)).containsExactly(0, 8, 7, 15, 14);
        // A positive extreme takes a negative scale, and -60 the level 53; the scale is fitted with weights x^2.
        Group negative = one(Quantizer.IQ4_NL, 4, group(127, -60));
        assertThat(Arrays.copyOf(negative.codes, 2)).containsExactly(0, 12);
        double fourth = 127.0 * 127 * 127 * 127;
        double fitted = (fourth + 3600.0 * 53 * 60) / (fourth + 3600.0 * 53 * 53);
        assertThat((double) -negative.scale).isCloseTo(fitted, within(5e-4)).isGreaterThan(1.004);
        Group zero = one(Quantizer.IQ4_NL, 4, group(1e-16f));
        assertThat(zero.codes).containsOnly(0);
        assertThat(zero.values).containsOnly(-0f);
    }

    /** min -1, max 4, 4 bits: s = 1/3, z = 3; 0.5 = (4.5 - 3) / 3 rounds half to even. */
    @Test
    void qserveKeepsAFractionalZeroCode() {
        Group group = one(Quantizer.QSERVE, 4, group(-1, 4, 1, 2));
        assertThat(group.scale).isEqualTo(Element.F16.round(1 / 3f));
        assertThat(group.zero).isEqualTo(-3 * group.scale);
        assertThat(Arrays.copyOf(group.codes, 4)).containsExactly(0, 15, 6, 9);
        Group fraction = one(Quantizer.QSERVE, 4, group(-1, 6.5f));
        assertThat(fraction.zero).isEqualTo(-2 * 0.5f);
        assertThat(one(Quantizer.QSERVE, 8, group(-1, 50)).zero).isEqualTo(-5f * Element.F16.round(0.2f));
        for (float constant : new float[] {3.5f, -3.5f, 0, 100}) {
            float[] same = new float[32];
            Arrays.fill(same, constant);
            assertThat(one(Quantizer.QSERVE, 4, same).values).containsOnly(constant);
        }
    }

    /** clip 1, 2 bits, -1 to 5: s = 2, z = rint(0.5) = 0; -1 / 2 rounds to 0. */
    @Test
    void rotateKeepsAnIntegerZeroCode() {
        Group group = one(Quantizer.rotate(1, ScaleFormat.E4M3), 2, group(-1, 5, 3, 4.9f));
        assertThat(group.scale).isEqualTo(2);
        assertThat(Arrays.copyOf(group.codes, 4)).containsExactly(0, 2, 2, 2);
        // clip 0.8: -7.2 to 8, s = 15.2 / 3 as the nearest F16.
        Group clipped = one(Quantizer.rotate(0.8f, ScaleFormat.F16), 2, group(-5, 10, 3, -9));
        assertThat(clipped.scale).isEqualTo(5.0664062f);
        // Far from 0 the step grows until the zero code fits a byte.
        float[] far = new float[32];
        Arrays.fill(far, 1000);
        far[3] = 1001;
        for (ScaleFormat format : List.of(ScaleFormat.F16, ScaleFormat.E4M3)) {
            Group moved = one(Quantizer.rotate(1, format), 4, far);
            assertThat(moved.scale).isBetween(7.8f, 8.6f);
            assertThat(-moved.zero / moved.scale).isBetween(-127f, 127f);
            assertThat(Math.abs(moved.values[0] - 1000)).isLessThanOrEqualTo(moved.scale / 2);
        }
        float[] same = new float[16];
        Arrays.fill(same, -1.75f);
        assertThat(one(Quantizer.rotate(0.8f, ScaleFormat.E4M3), 2, same).values)
                .containsOnly(-1.75f);
        assertThat(one(Quantizer.rotate(0.8f, ScaleFormat.E4M3), 2, new float[16]).values)
                .containsOnly(0f);
    }

    @Test
    void signsAndTritsKeepMeanMagnitudes() {
        float[] numbers = new float[16];
        Arrays.fill(numbers, 1);
        numbers[0] = -3;
        numbers[1] = 0;
        // Mean 17 / 16; the kept are above 0.7 of it.
        Group sign = one(Quantizer.SIGN, 1, numbers);
        assertThat(sign.values).startsWith(-1.0625f, 1.0625f, 1.0625f);
        Group trits = one(Quantizer.ternary(0.7f), PackedLayout.TRITS, numbers);
        float kept = Element.F16.round(17f / 15);
        assertThat(trits.values).startsWith(-kept, 0, kept);
        // What equals the border is dropped.
        Arrays.fill(numbers, 1);
        assertThat(one(Quantizer.ternary(1), PackedLayout.TRITS, numbers).values)
                .containsOnly(0f);
        assertThat(one(Quantizer.ternary(0.7f), PackedLayout.TRITS, new float[16]).values)
                .containsOnly(0f);
    }

    @ParameterizedTest
    @ValueSource(ints = {2, 3, 4, 8})
    void symmetricCodesAreOddFunctions(int bits) {
        float[] numbers = floats(64);
        float[] negated = numbers.clone();
        for (int i = 0; i < negated.length; i++) {
            negated[i] = -numbers[i];
        }
        for (Quantizer quantizer : List.of(Quantizer.symmetric(bits), Quantizer.blockFloat(bits))) {
            float[] found = one(quantizer, bits, numbers).values;
            float[] mirrored = one(quantizer, bits, negated).values;
            for (int i = 0; i < found.length; i++) {
                assertThat(mirrored[i]).isEqualTo(found[i] == 0 ? 0 : -found[i]);
            }
        }
    }

    @Test
    void codebooksTakeTheNearestLevelAndTheLowerOfTwo() {
        float[] levels = {-1, 0, 0.5f, 2};
        float[] meanings = {-10, 1, 2, 30};
        Quantizer quantizer = Quantizer.codebook(levels, meanings, ScaleFormat.F16, ZeroFormat.F16);
        PackedLayout layout = new PackedLayout(16, 16, 2, 16, Axis.PER_LANE, quantizer);
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment page = page(arena, layout);
            // Scale 2, zero 1: levels stand at -1, 1, 2, 5; midpoints 0, 1.5, 3.5.
            float[] in = {-9, -1, 0, 0.001f, 1.5f, 1.51f, 3.5f, 3.6f, 99, 0, 0, 0, 0, 0, 0, 0};
            vector.packGiven(layout, page, 3, 4, 0, 16, in, 0, 1, new float[] {2}, new float[] {1}, 0, work(layout));
            int[] expected = {0, 0, 0, 1, 1, 2, 2, 3, 3};
            for (int i = 0; i < expected.length; i++) {
                assertThat(layout.code(page, i, 3)).isEqualTo(expected[i]);
                assertThat(layout.value(page, i, 3)).isEqualTo(2 * meanings[expected[i]] + 1);
            }
        }
    }

    /** Static scales: codes are made with what is given, and nothing but codes is stored. */
    @Test
    void givenScalesNeedNoBytes() {
        Quantizer quantizer = Quantizer.codebook(LLOYD_MAX, LLOYD_MAX, ScaleFormat.NONE, ZeroFormat.NONE);
        PackedLayout layout = new PackedLayout(128, 64, 2, 128, Axis.PER_DEPTH, quantizer);
        assertThat(layout.scaleBytes()).isZero();
        assertThat(layout.bytes()).isEqualTo(128 * 64 / 4);
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment page = page(arena, layout);
            float[] scales = floats(64);
            float[] zeros = floats(64);
            float[] in = new float[64];
            for (int c = 0; c < 64; c++) {
                scales[c] = Math.abs(scales[c]) + 0.1f;
                in[c] = LLOYD_MAX[c % 4] * scales[c] + zeros[c];
            }
            vector.packGiven(layout, page, 77, 78, 0, 64, in, 0, 1, scales, zeros, 0, work(layout));
            for (int c = 0; c < 64; c++) {
                assertThat(layout.value(page, c, 77)).isEqualTo(LLOYD_MAX[c % 4]);
            }
        }
    }

    @ParameterizedTest
    @EnumSource(names = {"F16", "E8M0", "E4M3"})
    void scaleFormatsRoundToTheirNearest(ScaleFormat format) {
        int top = format == ScaleFormat.F16 ? 0x7bff : format == ScaleFormat.E8M0 ? 254 : 0x7e;
        int first = format == ScaleFormat.E8M0 ? 1 : 0;
        for (int bits = first; bits < top; bits++) {
            float value = format.decode(bits);
            float next = format.decode(bits + 1);
            assertThat(next).isGreaterThan(value).isEqualTo(format.next(value));
            assertThat(format.encode(value)).isEqualTo(bits);
            if (format != ScaleFormat.E8M0) {
                float middle = value + (next - value) / 2;
                assertThat(format.encode(Math.nextUp(middle))).isEqualTo(bits + 1);
                assertThat(format.encode(Math.nextDown(middle))).isEqualTo(bits);
                assertThat(format.encode(middle) % 2).as("ties go to even").isZero();
            }
        }
        assertThat(format.encode(Float.MAX_VALUE)).isEqualTo(top);
    }

    @Test
    void everyTritOfEveryHalfCanBeReplaced() {
        for (int trial = 0; trial < 20_000; trial++) {
            int word = random.nextInt();
            int index = random.nextInt(20);
            int trit = random.nextInt(3);
            int changed = Trits.set(word, index, trit);
            for (int i = 0; i < 20; i++) {
                assertThat(Trits.get(changed, i)).isEqualTo(i == index ? trit : Trits.get(word, i));
            }
        }
        int word = 0;
        for (int number = 0; number < Trits.NUMBERS; number++) {
            int rest = number;
            for (int i = 9; i >= 0; i--, rest /= 3) {
                if (Trits.get(word, i) == rest % 3) {
                    break;
                }
                word = Trits.set(word, i, rest % 3);
            }
            assertThat(word & 0xffff).isEqualTo(Math.toIntExact(Math.ceilDiv(number * 65536L, 59049L)));
        }
    }

    @Test
    void bytesFollowFromTheFormats() {
        assertThat(bits(Quantizer.MIN_MAX, 2, 128, 32)).isEqualTo(3.0);
        assertThat(bits(Quantizer.blockFloat(4), 4, 128, 64)).isEqualTo(4.125);
        assertThat(bits(Quantizer.blockFloat(6), 6, 128, 32)).isEqualTo(6.25);
        assertThat(bits(Quantizer.rotate(0.8f, ScaleFormat.E4M3), 2, 128, 128)).isEqualTo(2.125);
        assertThat(bits(Quantizer.rotate(0.8f, ScaleFormat.F16), 2, 128, 128)).isEqualTo(2.1875);
        assertThat(bits(Quantizer.SIGN, 1, 128, 32)).isEqualTo(1.5);
        assertThat(bits(Quantizer.Q5_1, 5, 128, 32)).isEqualTo(6.0);
        assertThat(bits(Quantizer.IQ4_NL, 4, 128, 32)).isEqualTo(4.5);
        // 160 depths fill 8 words of trits; 128 take 7.
        assertThat(bits(Quantizer.ternary(0.7f), PackedLayout.TRITS, 160, 32)).isEqualTo(2.1);
        assertThat(bits(Quantizer.ternary(0.7f), PackedLayout.TRITS, 128, 32)).isEqualTo(7 * 32 / 128.0 + 0.5);
        // 40 depths of one bit take two words.
        assertThat(bits(Quantizer.SIGN, 1, 40, 40)).isEqualTo(64 / 40.0 + 16 / 40.0);
    }

    private static double bits(Quantizer quantizer, int bits, int depth, int group) {
        return new PackedLayout(64, depth, bits, group, Axis.PER_LANE, quantizer).bytes() * 8.0 / (64 * depth);
    }

    @Test
    void refusesWhatCannotBePacked() {
        assertThatThrownBy(() -> new PackedLayout(64, 64, 7, 32, Axis.PER_LANE, Quantizer.MIN_MAX))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("7 bits");
        assertThatThrownBy(() -> new PackedLayout(64, 64, 4, 32, Axis.PER_LANE, Quantizer.Q5_1))
                .hasMessageContaining("Q5_1");
        assertThatThrownBy(() -> new PackedLayout(40, 64, 4, 32, Axis.PER_LANE, Quantizer.MIN_MAX))
                .hasMessageContaining("[64][40]");
        assertThatThrownBy(
                        () -> Quantizer.codebook(new float[] {1, 1}, new float[2], ScaleFormat.NONE, ZeroFormat.NONE))
                .hasMessageContaining("ascend");
        Quantizer given = Quantizer.linear(ScaleFormat.F16, ZeroFormat.F16);
        PackedLayout layout = new PackedLayout(16, 16, 2, 16, Axis.PER_LANE, given);
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment page = page(arena, layout);
            assertThatThrownBy(() -> pack(vector, layout, page, new float[256])).hasMessageContaining("packGiven");
        }
    }

    private static void pack(Kernels kernels, PackedLayout layout, MemorySegment page, float[] in) {
        kernels.pack(layout, page, 0, layout.lanes(), 0, layout.depth(), in, 0, layout.lanes(), work(layout));
    }

    private static float[] work(PackedLayout layout) {
        return new float[Kernels.workSize(layout)];
    }

    /** A page with remains of other codes. */
    private MemorySegment page(Arena arena, PackedLayout layout) {
        byte[] remains = new byte[Math.toIntExact(layout.codeBytes())];
        random.nextBytes(remains);
        MemorySegment page = arena.allocate(layout.bytes(), 64);
        MemorySegment.copy(remains, 0, page, java.lang.foreign.ValueLayout.JAVA_BYTE, 0, remains.length);
        return page;
    }

    private float[] scales(PackedLayout layout) {
        float[] scales = floats(layout.lanes() * layout.depth() / layout.group() + layout.lanes() + layout.depth());
        for (int i = 0; i < scales.length; i++) {
            scales[i] = i % 37 == 0 ? 0 : Math.abs(scales[i]) + 0.01f;
        }
        return scales;
    }

    /** Gaussian numbers with constant groups, groups far from 0, tiny and large ones, and extremes of both signs. */
    private float[] matrix(PackedLayout layout) {
        float[] in = floats(layout.depth() * layout.lanes() + 3);
        for (int i = 0; i < in.length; i++) {
            int lane = i % layout.lanes();
            int depth = i / layout.lanes();
            if (lane < 16 && depth < 32) {
                in[i] = depth == 5 ? 0 : 1.5f;
            } else if (lane == 17) {
                in[i] += 300;
            } else if (lane == 18) {
                in[i] *= 1e-5f;
            } else if (lane == 19) {
                in[i] *= 3000;
            } else {
                in[i] = Math.clamp(in[i], -2.5f, 2.5f);
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

    private static void assertClose(float[] expected, float[] found, float tolerance) {
        for (int i = 0; i < expected.length; i++) {
            if (!(Math.abs(found[i] - expected[i]) <= tolerance)) {
                assertThat(found[i]).as("index %d", i).isCloseTo(expected[i], within(tolerance));
            }
        }
    }
}
