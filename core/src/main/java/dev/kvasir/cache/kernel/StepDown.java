package dev.kvasir.cache.kernel;

import static dev.kvasir.cache.kernel.Species.I;
import static dev.kvasir.cache.kernel.Species.V;

import java.lang.foreign.MemorySegment;
import java.nio.ByteOrder;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorOperators;

/**
 * Rounds codes of m = 2^b - 1 steps to the grid of m' = 2^b' - 1 steps over the same range, in integers: code' = floor(code m' /
 * m + 1/2).
 *
 * <p>There are no ties: code m' / m = k + 1/2 would make the even 2 code m' equal the odd (2k + 1) m. So the factor m' / m may be
 * rounded to 20 bits below the point: a code is at most 255, the error at most 255 / 2^21, and the nearest tie 1 / 2m away.
 *
 * <p>Where b = 2b', m / m' = 2^b' + 1 = r is odd and the grids nest: code' = (code + (r - 1) / 2) div r, which is the code that
 * the number itself would have got.
 */
public final class StepDown {
    private static final int POINT = 20;
    private static final int HALF = 1 << (POINT - 1);

    private StepDown() {}

    /** The factor that brings codes of {@code from} bits to {@code to} bits. */
    public static int factor(int from, int to) {
        int most = (1 << from) - 1;
        return ((((1 << to) - 1) << POINT) + most / 2) / most;
    }

    /** Whether every grid line of {@code to} bits is one of {@code from} bits too. */
    public static boolean nests(int from, int to) {
        return ((1 << from) - 1) % ((1 << to) - 1) == 0;
    }

    static int code(int code, int factor) {
        return (code * factor + HALF) >>> POINT;
    }

    static void scalar(PackedLayout from, MemorySegment page, PackedLayout to, MemorySegment out, int[] factors) {
        for (int j = 0; j < from.depth(); j++) {
            for (int lane = 0; lane < from.lanes(); lane++) {
                int code = from.code(page, j, lane);
                for (int factor : factors) {
                    code = code(code, factor);
                }
                to.setCode(out, j, lane, code);
            }
        }
        copyParameters(from, page, to, out);
    }

    static void vector(PackedLayout from, MemorySegment page, PackedLayout to, MemorySegment out, int[] factors) {
        for (int j = 0; j < from.depth(); j++) {
            for (int lane = 0; lane < from.lanes(); lane += V) {
                lanes(from, page, to, out, factors, j, lane);
            }
        }
        copyParameters(from, page, to, out);
    }

    /** One vector of codes. What has one plane is read and written as if it had an empty second one: no vector meets a branch. */
    private static void lanes(
            PackedLayout from,
            MemorySegment page,
            PackedLayout to,
            MemorySegment out,
            int[] factors,
            int depth,
            int lane) {
        int second = from.planes() - 1;
        IntVector codes = IntVector.fromMemorySegment(I, page, from.wordAt(0, depth, lane), ByteOrder.LITTLE_ENDIAN)
                .lanewise(VectorOperators.LSHR, shift(from, 0, depth))
                .and(mask(from, 0))
                .or(IntVector.fromMemorySegment(I, page, from.wordAt(second, depth, lane), ByteOrder.LITTLE_ENDIAN)
                        .lanewise(VectorOperators.LSHR, shift(from, second, depth))
                        .and(second * mask(from, second))
                        .lanewise(VectorOperators.LSHL, from.planeShift(1)));
        for (int i = 0; i < factors.length; i++) {
            codes = codes.mul(factors[i]).add(HALF).lanewise(VectorOperators.LSHR, POINT);
        }
        for (int plane = 0; plane < to.planes(); plane++) {
            int mask = mask(to, plane);
            int shift = shift(to, plane, depth);
            long offset = to.wordAt(plane, depth, lane);
            IntVector.fromMemorySegment(I, out, offset, ByteOrder.LITTLE_ENDIAN)
                    .and(~(mask << shift))
                    .or(codes.lanewise(VectorOperators.LSHR, to.planeShift(plane))
                            .and(mask)
                            .lanewise(VectorOperators.LSHL, shift))
                    .intoMemorySegment(out, offset, ByteOrder.LITTLE_ENDIAN);
        }
    }

    private static int mask(PackedLayout layout, int plane) {
        return (1 << layout.planeBits(plane)) - 1;
    }

    private static int shift(PackedLayout layout, int plane, int depth) {
        return depth % layout.perWord(plane) * layout.planeBits(plane);
    }

    private static void copyParameters(PackedLayout from, MemorySegment page, PackedLayout to, MemorySegment out) {
        MemorySegment.copy(page, from.codeBytes(), out, to.codeBytes(), from.scaleBytes());
    }
}
