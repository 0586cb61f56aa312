package dev.kvasir.cache.kernel;

import static dev.kvasir.cache.kernel.PackedLayout.UNIT;
import static dev.kvasir.cache.kernel.Species.F;
import static dev.kvasir.cache.kernel.Species.I;

import dev.kvasir.cache.kernel.PackedLayout.Axis;
import java.lang.foreign.MemorySegment;
import java.nio.ByteOrder;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorOperators;

/**
 * Sums of weights times linear codes of 2 or 4 bits that become floats where they lie: a word is rotated until codes sit at the
 * top of the mantissa, and one masking with the bits of 1.0 makes them {@code 1 + code / f}.
 *
 * <pre>
 *   bit    31 30    23 22 21 20 19 18 17 16 15
 *   float   s exponent  mantissa ...
 *   2 bits              code 1|code 0            f = 4, 16
 *   4 bits              code                     f = 16
 * </pre>
 *
 * <p>So weights come multiplied by f ({@link #factors}), and who calls takes the sum of those weights away again: it is
 * made once for many codes. What is left of shift, mask and conversion is a rotation, shared by two codes of 2 bits, and one
 * logic operation. Codes lower in the mantissa would save rotations too, but f then outgrows the codes and eats their digits.
 */
final class VectorMasked {
    private static final int UNIT_BYTES = UNIT * 4;
    private static final int ONE = Float.floatToRawIntBits(1f);

    private static final float[] FACTORS_2 = repeated(16, 4);
    private static final float[] FACTORS_4 = repeated(16, 16);

    private VectorMasked() {}

    private static float[] repeated(float even, float odd) {
        float[] factors = new float[UNIT];
        for (int i = 0; i < UNIT; i += 2) {
            factors[i] = even;
            factors[i + 1] = odd;
        }
        return factors;
    }

    /** Whether the codes of a layout are read here: those of more bits, and one or two rows, cost no less this way. */
    static boolean serves(PackedLayout layout) {
        return Species.V == 16
                && layout.axis() == Axis.PER_DEPTH
                && !layout.quantizer().isCodebook()
                && (layout.bits() == 2 || layout.bits() == 4);
    }

    /** What the weights of 16 depths, the first of a whole word, are multiplied by; nobody writes to it. */
    static float[] factors(int bits) {
        return bits == 2 ? FACTORS_2 : FACTORS_4;
    }

    /**
     * {@code out[r][l] += sum over j of work[w[r] + j] * (1 + code[j][l] / f[j])}, for the two units at {@code offset} and
     * {@code unitBytes} behind it and four rows; rows given twice are written twice.
     */
    static void rows4(
            int bits,
            MemorySegment page,
            long offset,
            long unitBytes,
            int words,
            float[] work,
            int w0,
            int w1,
            int w2,
            int w3,
            float[] out,
            int o0,
            int o1,
            int o2,
            int o3) {
        if (bits > 2) {
            nibbles4(page, offset, unitBytes, words, work, w0, w1, w2, w3, out, o0, o1, o2, o3);
        } else {
            pairs4(page, offset, unitBytes, words, work, w0, w1, w2, w3, out, o0, o1, o2, o3);
        }
    }

    private static void pairs4(
            MemorySegment page,
            long offset,
            long unitBytes,
            int words,
            float[] work,
            int w0,
            int w1,
            int w2,
            int w3,
            float[] out,
            int o0,
            int o1,
            int o2,
            int o3) {
        IntVector one = IntVector.broadcast(I, ONE);
        IntVector high = IntVector.broadcast(I, 3 << 21);
        IntVector low = IntVector.broadcast(I, 3 << 19);
        IntVector start = IntVector.broadcast(I, 19);
        IntVector step = IntVector.broadcast(I, 4);
        FloatVector a0 = FloatVector.fromArray(F, out, o0);
        FloatVector a1 = FloatVector.fromArray(F, out, o1);
        FloatVector a2 = FloatVector.fromArray(F, out, o2);
        FloatVector a3 = FloatVector.fromArray(F, out, o3);
        FloatVector b0 = FloatVector.fromArray(F, out, o0 + UNIT);
        FloatVector b1 = FloatVector.fromArray(F, out, o1 + UNIT);
        FloatVector b2 = FloatVector.fromArray(F, out, o2 + UNIT);
        FloatVector b3 = FloatVector.fromArray(F, out, o3 + UNIT);
        for (int j = 0; j < words * 16; j += 16, offset += UNIT_BYTES) {
            IntVector c = IntVector.fromMemorySegment(I, page, offset, ByteOrder.LITTLE_ENDIAN)
                    .lanewise(VectorOperators.ROL, start);
            IntVector d = IntVector.fromMemorySegment(I, page, offset + unitBytes, ByteOrder.LITTLE_ENDIAN)
                    .lanewise(VectorOperators.ROL, start);
            for (int i = j; i < j + 16; i += 2) {
                FloatVector x = c.and(low).or(one).reinterpretAsFloats();
                FloatVector y = d.and(low).or(one).reinterpretAsFloats();
                FloatVector weight = FloatVector.broadcast(F, work[w0 + i]);
                a0 = x.fma(weight, a0);
                b0 = y.fma(weight, b0);
                weight = FloatVector.broadcast(F, work[w1 + i]);
                a1 = x.fma(weight, a1);
                b1 = y.fma(weight, b1);
                weight = FloatVector.broadcast(F, work[w2 + i]);
                a2 = x.fma(weight, a2);
                b2 = y.fma(weight, b2);
                weight = FloatVector.broadcast(F, work[w3 + i]);
                a3 = x.fma(weight, a3);
                b3 = y.fma(weight, b3);
                x = c.and(high).or(one).reinterpretAsFloats();
                y = d.and(high).or(one).reinterpretAsFloats();
                weight = FloatVector.broadcast(F, work[w0 + i + 1]);
                a0 = x.fma(weight, a0);
                b0 = y.fma(weight, b0);
                weight = FloatVector.broadcast(F, work[w1 + i + 1]);
                a1 = x.fma(weight, a1);
                b1 = y.fma(weight, b1);
                weight = FloatVector.broadcast(F, work[w2 + i + 1]);
                a2 = x.fma(weight, a2);
                b2 = y.fma(weight, b2);
                weight = FloatVector.broadcast(F, work[w3 + i + 1]);
                a3 = x.fma(weight, a3);
                b3 = y.fma(weight, b3);
                c = c.lanewise(VectorOperators.ROR, step);
                d = d.lanewise(VectorOperators.ROR, step);
            }
        }
        a0.intoArray(out, o0);
        a1.intoArray(out, o1);
        a2.intoArray(out, o2);
        a3.intoArray(out, o3);
        b0.intoArray(out, o0 + UNIT);
        b1.intoArray(out, o1 + UNIT);
        b2.intoArray(out, o2 + UNIT);
        b3.intoArray(out, o3 + UNIT);
    }

    private static void nibbles4(
            MemorySegment page,
            long offset,
            long unitBytes,
            int words,
            float[] work,
            int w0,
            int w1,
            int w2,
            int w3,
            float[] out,
            int o0,
            int o1,
            int o2,
            int o3) {
        IntVector one = IntVector.broadcast(I, ONE);
        IntVector mask = IntVector.broadcast(I, 15 << 19);
        IntVector start = IntVector.broadcast(I, 19);
        IntVector step = IntVector.broadcast(I, 4);
        FloatVector a0 = FloatVector.fromArray(F, out, o0);
        FloatVector a1 = FloatVector.fromArray(F, out, o1);
        FloatVector a2 = FloatVector.fromArray(F, out, o2);
        FloatVector a3 = FloatVector.fromArray(F, out, o3);
        FloatVector b0 = FloatVector.fromArray(F, out, o0 + UNIT);
        FloatVector b1 = FloatVector.fromArray(F, out, o1 + UNIT);
        FloatVector b2 = FloatVector.fromArray(F, out, o2 + UNIT);
        FloatVector b3 = FloatVector.fromArray(F, out, o3 + UNIT);
        for (int j = 0; j < words * 8; j += 8, offset += UNIT_BYTES) {
            IntVector c = IntVector.fromMemorySegment(I, page, offset, ByteOrder.LITTLE_ENDIAN)
                    .lanewise(VectorOperators.ROL, start);
            IntVector d = IntVector.fromMemorySegment(I, page, offset + unitBytes, ByteOrder.LITTLE_ENDIAN)
                    .lanewise(VectorOperators.ROL, start);
            for (int i = j; i < j + 8; i++) {
                FloatVector x = c.and(mask).or(one).reinterpretAsFloats();
                FloatVector y = d.and(mask).or(one).reinterpretAsFloats();
                FloatVector weight = FloatVector.broadcast(F, work[w0 + i]);
                a0 = x.fma(weight, a0);
                b0 = y.fma(weight, b0);
                weight = FloatVector.broadcast(F, work[w1 + i]);
                a1 = x.fma(weight, a1);
                b1 = y.fma(weight, b1);
                weight = FloatVector.broadcast(F, work[w2 + i]);
                a2 = x.fma(weight, a2);
                b2 = y.fma(weight, b2);
                weight = FloatVector.broadcast(F, work[w3 + i]);
                a3 = x.fma(weight, a3);
                b3 = y.fma(weight, b3);
                c = c.lanewise(VectorOperators.ROR, step);
                d = d.lanewise(VectorOperators.ROR, step);
            }
        }
        a0.intoArray(out, o0);
        a1.intoArray(out, o1);
        a2.intoArray(out, o2);
        a3.intoArray(out, o3);
        b0.intoArray(out, o0 + UNIT);
        b1.intoArray(out, o1 + UNIT);
        b2.intoArray(out, o2 + UNIT);
        b3.intoArray(out, o3 + UNIT);
    }
}
