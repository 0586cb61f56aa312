package dev.kvasir.cache.kernel;

import dev.kvasir.cache.kernel.PackedLayout.Axis;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.Random;

/** Runs the vector kernels in a virtual machine of its own, compares them with the oracle and prints what came out. */
public final class KernelProbe {
    private KernelProbe() {}

    public static void main(String[] args) {
        System.out.println("lanes=" + Species.V + " hash=" + hash(args.length > 0));
    }

    /** A hash of every bit the vector kernels make of some made-up numbers; {@code few} takes small matrices and leaves most code widths out. */
    static int hash(boolean few) {
        Random random = new Random(17);
        int hash = 1;
        int lanes = few ? 32 : 64;
        int depth = few ? 32 : 96;
        for (Axis axis : Axis.values()) {
            for (int bits : few ? new int[] {2, 8} : new int[] {1, 2, 3, 4, 5, 6, 8}) {
                hash = 31 * hash + packed(new PackedLayout(lanes, depth, bits, 32, axis, Quantizer.MIN_MAX), random);
            }
            hash = 31 * hash + packed(new PackedLayout(lanes, depth, 8, 32, axis, Quantizer.Q8_0), random);
            hash = 31 * hash + packed(new PackedLayout(lanes, depth, 4, 32, axis, Quantizer.Q4_0), random);
            hash = 31 * hash + packed(new PackedLayout(lanes, depth, 5, 32, axis, Quantizer.Q5_0), random);
            hash = 31 * hash + packed(new PackedLayout(lanes, depth, 4, 32, axis, Quantizer.IQ4_NL), random);
            hash = 31 * hash + packed(new PackedLayout(lanes, depth, 2, 32, axis, Quantizer.QSERVE), random);
            hash = 31 * hash + packed(new PackedLayout(lanes, depth, 6, 32, axis, Quantizer.blockFloat(6)), random);
            Quantizer rotate = Quantizer.rotate(1, ScaleFormat.E4M3);
            hash = 31 * hash + packed(new PackedLayout(lanes, depth, 3, 32, axis, rotate), random);
            Quantizer ternary = Quantizer.ternary(0.7f);
            hash = 31 * hash + packed(new PackedLayout(lanes, depth, PackedLayout.TRITS, 32, axis, ternary), random);
            for (int bits = 1; bits <= 3; bits++) {
                float[] levels = Arrays.copyOf(new float[] {-2, -1.4f, -1, -0.5f, 0.1f, 0.6f, 1.1f, 2}, 1 << bits);
                Quantizer codebook = Quantizer.codebook(levels, levels, ScaleFormat.F16, ZeroFormat.F16);
                hash = 31 * hash + packed(new PackedLayout(lanes, depth, bits, 32, axis, codebook), random);
            }
        }
        return 31 * hash + dense(random);
    }

    private static int packed(PackedLayout layout, Random random) {
        Kernels scalar = new ScalarKernels();
        Kernels vector = new VectorKernels();
        int lanes = layout.lanes();
        int depth = layout.depth();
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment page = arena.allocate(layout.bytes(), 64);
            MemorySegment other = arena.allocate(layout.bytes(), 64);
            float[] in = floats(64 * depth, random);
            float[] work = new float[Kernels.workSize(layout)];
            if (layout.quantizer().rule() == Quantizer.Rule.GIVEN) {
                float[] scales = floats(64 * depth / 32, random);
                scalar.packGiven(layout, page, 0, lanes, 0, depth, in, 0, lanes, scales, scales, 0, work);
                vector.packGiven(layout, other, 0, lanes, 0, depth, in, 0, lanes, scales, scales, 0, work);
            } else {
                scalar.pack(layout, page, 0, lanes, 0, depth, in, 0, lanes, work);
                vector.pack(layout, other, 0, lanes, 0, depth, in, 0, lanes, work);
            }
            check(page.mismatch(other) == -1, layout + " packs other bits");
            float[] x = floats(depth, random);
            float[] expected = new float[lanes];
            float[] found = new float[lanes];
            scalar.accumulate(layout, page, 0, lanes, 0, depth, x, 0, expected, 0, work);
            vector.accumulate(layout, page, 0, lanes, 0, depth, x, 0, found, 0, work);
            close(expected, found, 1e-3f, layout.toString());
            float[] rows = floats(4 * depth, random);
            float[] expectedRows = new float[4 * lanes];
            float[] foundRows = new float[4 * lanes];
            scalar.accumulateRows(layout, page, 0, lanes, 0, depth, rows, 0, depth, 4, expectedRows, 0, lanes, work);
            vector.accumulateRows(layout, page, 0, lanes, 0, depth, rows, 0, depth, 4, foundRows, 0, lanes, work);
            close(expectedRows, foundRows, 1e-3f, layout.toString());
            float[] dense = new float[64 * depth];
            float[] wanted = new float[64 * depth];
            scalar.unpack(layout, page, 0, lanes, 0, depth, wanted, 0, lanes, work);
            vector.unpack(layout, page, 0, lanes, 0, depth, dense, 0, lanes, work);
            close(wanted, dense, 1e-5f, layout.toString());
            return 31 * (31 * Arrays.hashCode(found) + Arrays.hashCode(foundRows)) + Arrays.hashCode(dense);
        }
    }

    private static int dense(Random random) {
        Kernels scalar = new ScalarKernels();
        Kernels vector = new VectorKernels();
        float[] x = floats(5 * 80, random);
        float[] matrix = floats(80 * 90, random);
        float[] expected = new float[5 * 90];
        float[] found = new float[5 * 90];
        scalar.sums(x, 0, 80, 5, matrix, 0, 90, 80, 90, expected, 0, 90);
        vector.sums(x, 0, 80, 5, matrix, 0, 90, 80, 90, found, 0, 90);
        close(expected, found, 1e-4f, "sums");
        int hash = Arrays.hashCode(found);
        scalar.dots(x, 0, 80, 5, matrix, 0, 80, expected, 0, 90);
        vector.dots(x, 0, 80, 5, matrix, 0, 80, found, 0, 90);
        close(expected, found, 1e-4f, "dots");
        hash = 31 * hash + Arrays.hashCode(found);
        float[] weights = found.clone();
        float sum = vector.expSum(weights, 0, 77, vector.max(weights, 0, 77));
        float dot = vector.dot(x, 0, matrix, 0, 77);
        check(Math.abs(dot - scalar.dot(x, 0, matrix, 0, 77)) < 1e-4, "dot");
        return 31 * (31 * hash + Arrays.hashCode(weights)) + Float.hashCode(sum) + Float.hashCode(dot);
    }

    private static float[] floats(int count, Random random) {
        float[] floats = new float[count];
        for (int i = 0; i < count; i++) {
            floats[i] = (float) random.nextGaussian();
        }
        return floats;
    }

    private static void close(float[] expected, float[] found, float tolerance, String what) {
        for (int i = 0; i < expected.length; i++) {
            check(
                    Math.abs(expected[i] - found[i]) <= tolerance,
                    what + " [" + i + "]: " + found[i] + ", " + expected[i]);
        }
    }

    private static void check(boolean good, String problem) {
        if (!good) {
            throw new AssertionError(problem);
        }
    }
}
