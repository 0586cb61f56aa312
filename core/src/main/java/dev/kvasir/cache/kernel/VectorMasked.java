package dev.kvasir.cache.kernel;

import static dev.kvasir.cache.kernel.PackedLayout.UNIT;
import static dev.kvasir.cache.kernel.Species.F;
import static dev.kvasir.cache.kernel.Species.I;

import java.lang.foreign.MemorySegment;
import java.nio.ByteOrder;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorOperators;

/**
 * Sums of weights times linear codes of 2 bits that become floats where they lie: a word is rotated until two codes sit at the top
 * of the mantissa, and one masking with the bits of 1.0 makes each {@code 1 + code / f}.
 *
 * <pre>
 *   bit    31 30    23 22 21 20 19 18 17 16 15
 *   float   s exponent  mantissa ...
 *                       code 1|code 0            f = 4, 16
 * </pre>
 *
 * <p>So weights come multiplied by f ({@link #FACTORS}), and the sum of those weights is taken away again: it is made once for
 * many codes. What is left of shift and lookup is half a rotation and one logic operation. Codes lower in the mantissa would save
 * rotations too, but f then outgrows the codes and eats their digits.
 */
final class VectorMasked {
    /** What the weights of 16 depths, the first of a whole word, are multiplied by; nobody writes to it. */
    static final float[] FACTORS = new float[UNIT];

    private static final int UNIT_BYTES = UNIT * 4;
    private static final int ONE = Float.floatToRawIntBits(1f);

    static {
        for (int i = 0; i < UNIT; i++) {
            FACTORS[i] = i % 2 == 0 ? 16 : 4;
        }
    }

    private VectorMasked() {}

    /**
     * {@code out[r][l] += work[c[r]] + sum over j of work[w[r] + j] * (1 + code[j][l] / f[j])}, for the unit at {@code offset} and four
     * rows; rows given twice are written twice.
     *
     * @param sums where the constants c of the rows lie, by {@link VectorWeigh#sumOf}
     */
    static void rows4(
            MemorySegment page,
            long offset,
            int words,
            float[] work,
            int w0,
            int w1,
            int w2,
            int w3,
            int sums,
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
        FloatVector b0 = FloatVector.broadcast(F, work[sums]);
        FloatVector b1 = FloatVector.broadcast(F, work[sums + 8]);
        FloatVector b2 = FloatVector.broadcast(F, work[sums + 4]);
        FloatVector b3 = FloatVector.broadcast(F, work[sums + 12]);
        for (int j = 0; j < words * 16; j += 16, offset += UNIT_BYTES) {
            IntVector c = IntVector.fromMemorySegment(I, page, offset, ByteOrder.LITTLE_ENDIAN)
                    .lanewise(VectorOperators.ROL, start);
            for (int i = j; i < j + 16; i += 2) {
                FloatVector x = c.and(low).or(one).reinterpretAsFloats();
                FloatVector y = c.and(high).or(one).reinterpretAsFloats();
                a0 = x.fma(FloatVector.broadcast(F, work[w0 + i]), a0);
                b0 = y.fma(FloatVector.broadcast(F, work[w0 + i + 1]), b0);
                a1 = x.fma(FloatVector.broadcast(F, work[w1 + i]), a1);
                b1 = y.fma(FloatVector.broadcast(F, work[w1 + i + 1]), b1);
                a2 = x.fma(FloatVector.broadcast(F, work[w2 + i]), a2);
                b2 = y.fma(FloatVector.broadcast(F, work[w2 + i + 1]), b2);
                a3 = x.fma(FloatVector.broadcast(F, work[w3 + i]), a3);
                b3 = y.fma(FloatVector.broadcast(F, work[w3 + i + 1]), b3);
                c = c.lanewise(VectorOperators.ROR, step);
            }
        }
        a0.add(b0).intoArray(out, o0);
        a1.add(b1).intoArray(out, o1);
        a2.add(b2).intoArray(out, o2);
        a3.add(b3).intoArray(out, o3);
    }
}
