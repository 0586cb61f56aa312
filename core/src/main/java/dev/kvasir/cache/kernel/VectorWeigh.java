package dev.kvasir.cache.kernel;

import static dev.kvasir.cache.kernel.PackedLayout.UNIT;
import static dev.kvasir.cache.kernel.Species.F;
import static dev.kvasir.cache.kernel.Species.I;
import static dev.kvasir.cache.kernel.Species.S;
import static dev.kvasir.cache.kernel.Species.V;

import java.lang.foreign.MemorySegment;
import java.nio.ByteOrder;
import java.util.Arrays;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.ShortVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorShuffle;

/**
 * Weights under F16 scales and zeros that belong to depths, on vectors of 16 lanes. A group of lanes has parameters of its own,
 * so this is done anew for every 32 numbers or so of a depth: four rows share the parameters' conversion, or two groups share
 * a row, and nothing is written down in between.
 */
final class VectorWeigh {
    private static final VectorShuffle<Float> UP_8 = up(8);
    private static final VectorShuffle<Float> UP_4 = up(4);
    private static final VectorShuffle<Float> UP_2 = up(2);
    private static final VectorShuffle<Float> UP_1 = up(1);
    private static final VectorShuffle<Float> DOWN_4 = up(V - 4);
    private static final VectorMask<Float> UPPER_8 = VectorMask.fromLong(F, 0xff00);
    private static final VectorMask<Float> UPPER_4 = VectorMask.fromLong(F, 0xf0f0);

    /** Factors that change nothing; nobody writes to it. */
    static final float[] ONES = new float[UNIT];

    static {
        Arrays.fill(ONES, 1);
    }

    private VectorWeigh() {}

    private static VectorShuffle<Float> up(int lanes) {
        return VectorShuffle.fromOp(F, lane -> (lane + lanes) % V);
    }

    /** Whether the parameters of a range of depths are read here. */
    static boolean serves(Quantizer quantizer, int count) {
        return V == 16
                && quantizer.step() == 1
                && quantizer.scaleFormat() == ScaleFormat.F16
                && !quantizer.zeroFormat().isCode()
                && count % V == 0;
    }

    /** Where {@link #rows4} leaves the sum of a row, from {@code sums} on. */
    static int sumOf(int row) {
        return row % 2 * 8 + row / 2 * 4;
    }

    /**
     * {@code work[w[r] + i] = x[r][i] * scale[i] * factors[i % 16]} for four rows, and the sums over i of {@code x[r][i] *
     * (zero[i] * ofZero + scale[i] * (factors[i % 16] * ofFactor + ofScale))} at {@link #sumOf}; rows given twice are written twice.
     * The conversion from F16 is that of {@link VectorParameters#f16}, written out: see {@link VectorKernels} for why.
     *
     * @param scales byte offset of the first scale
     * @param zeros byte offset of the first zero; that of the scales where there are none
     * @param sums where {@code work} has room for 16 numbers
     */
    static void rows4(
            MemorySegment page,
            long scales,
            long zeros,
            float[] factors,
            float ofFactor,
            float ofScale,
            float ofZero,
            int count,
            float[] x,
            int x0,
            int x1,
            int x2,
            int x3,
            float[] work,
            int w0,
            int w1,
            int w2,
            int w3,
            int sums) {
        FloatVector factor = FloatVector.fromArray(F, factors, 0);
        FloatVector toZero = factor.mul(ofFactor).add(ofScale);
        FloatVector kept = FloatVector.broadcast(F, ofZero);
        FloatVector bias = FloatVector.broadcast(F, 0x1p112f);
        FloatVector z0 = FloatVector.zero(F);
        FloatVector z1 = z0;
        FloatVector z2 = z0;
        FloatVector z3 = z0;
        for (int i = 0; i < count; i += V) {
            IntVector bits =
                    (IntVector) ShortVector.fromMemorySegment(S, page, scales + 2L * i, ByteOrder.LITTLE_ENDIAN)
                            .convertShape(VectorOperators.S2I, I, 0);
            FloatVector scale = bits.and(0x7fff)
                    .lanewise(VectorOperators.LSHL, 13)
                    .reinterpretAsFloats()
                    .mul(bias);
            scale = scale.reinterpretAsInts().or(bits.and(0x8000_0000)).reinterpretAsFloats();
            bits = (IntVector) ShortVector.fromMemorySegment(S, page, zeros + 2L * i, ByteOrder.LITTLE_ENDIAN)
                    .convertShape(VectorOperators.S2I, I, 0);
            FloatVector zero = bits.and(0x7fff)
                    .lanewise(VectorOperators.LSHL, 13)
                    .reinterpretAsFloats()
                    .mul(bias);
            zero = zero.reinterpretAsInts().or(bits.and(0x8000_0000)).reinterpretAsFloats();
            zero = scale.fma(toZero, zero.mul(kept));
            scale = scale.mul(factor);
            FloatVector row = FloatVector.fromArray(F, x, x0 + i);
            row.mul(scale).intoArray(work, w0 + i);
            z0 = zero.fma(row, z0);
            row = FloatVector.fromArray(F, x, x1 + i);
            row.mul(scale).intoArray(work, w1 + i);
            z1 = zero.fma(row, z1);
            row = FloatVector.fromArray(F, x, x2 + i);
            row.mul(scale).intoArray(work, w2 + i);
            z2 = zero.fma(row, z2);
            row = FloatVector.fromArray(F, x, x3 + i);
            row.mul(scale).intoArray(work, w3 + i);
            z3 = zero.fma(row, z3);
        }
        // Two rows share a vector from the first step on, four from the second.
        z0 = z0.add(z0.rearrange(UP_8)).blend(z1.add(z1.rearrange(UP_8)), UPPER_8);
        z2 = z2.add(z2.rearrange(UP_8)).blend(z3.add(z3.rearrange(UP_8)), UPPER_8);
        z0 = z0.add(z0.rearrange(UP_4)).blend(z2.add(z2.rearrange(DOWN_4)), UPPER_4);
        z0 = z0.add(z0.rearrange(UP_2));
        z0.add(z0.rearrange(UP_1)).intoArray(work, sums);
    }

    /**
     * {@code work[w[g] + i] = x[i] * scale[g][i]} for two groups of lanes, and {@code work[w[g] + count] = sum over i of x[i] * (zero[g][i] *
     * ofZero + scale[g][i] * ofScale)}.
     *
     * @param next bytes from a group's scales, or zeros, to those of the second; 0 for one group, written twice
     * @param w0 where {@code work} has room for {@code count + 16} numbers, as at {@code w1}
     */
    static void groups2(
            MemorySegment page,
            long scales,
            long zeros,
            long next,
            float ofScale,
            float ofZero,
            int count,
            float[] x,
            int xOffset,
            float[] work,
            int w0,
            int w1) {
        FloatVector added = FloatVector.broadcast(F, ofScale);
        FloatVector kept = FloatVector.broadcast(F, ofZero);
        FloatVector bias = FloatVector.broadcast(F, 0x1p112f);
        FloatVector z0 = FloatVector.zero(F);
        FloatVector z1 = z0;
        for (int i = 0; i < count; i += V, scales += 2L * V, zeros += 2L * V) {
            FloatVector row = FloatVector.fromArray(F, x, xOffset + i);
            IntVector bits = (IntVector) ShortVector.fromMemorySegment(S, page, scales, ByteOrder.LITTLE_ENDIAN)
                    .convertShape(VectorOperators.S2I, I, 0);
            FloatVector scale = bits.and(0x7fff)
                    .lanewise(VectorOperators.LSHL, 13)
                    .reinterpretAsFloats()
                    .mul(bias);
            scale = scale.reinterpretAsInts().or(bits.and(0x8000_0000)).reinterpretAsFloats();
            bits = (IntVector) ShortVector.fromMemorySegment(S, page, zeros, ByteOrder.LITTLE_ENDIAN)
                    .convertShape(VectorOperators.S2I, I, 0);
            FloatVector zero = bits.and(0x7fff)
                    .lanewise(VectorOperators.LSHL, 13)
                    .reinterpretAsFloats()
                    .mul(bias);
            zero = zero.reinterpretAsInts().or(bits.and(0x8000_0000)).reinterpretAsFloats();
            row.mul(scale).intoArray(work, w0 + i);
            z0 = scale.fma(added, zero.mul(kept)).fma(row, z0);
            bits = (IntVector) ShortVector.fromMemorySegment(S, page, scales + next, ByteOrder.LITTLE_ENDIAN)
                    .convertShape(VectorOperators.S2I, I, 0);
            scale = bits.and(0x7fff)
                    .lanewise(VectorOperators.LSHL, 13)
                    .reinterpretAsFloats()
                    .mul(bias);
            scale = scale.reinterpretAsInts().or(bits.and(0x8000_0000)).reinterpretAsFloats();
            bits = (IntVector) ShortVector.fromMemorySegment(S, page, zeros + next, ByteOrder.LITTLE_ENDIAN)
                    .convertShape(VectorOperators.S2I, I, 0);
            zero = bits.and(0x7fff)
                    .lanewise(VectorOperators.LSHL, 13)
                    .reinterpretAsFloats()
                    .mul(bias);
            zero = zero.reinterpretAsInts().or(bits.and(0x8000_0000)).reinterpretAsFloats();
            row.mul(scale).intoArray(work, w1 + i);
            z1 = scale.fma(added, zero.mul(kept)).fma(row, z1);
        }
        z0 = z0.add(z0.rearrange(UP_8)).blend(z1.add(z1.rearrange(UP_8)), UPPER_8);
        z0 = z0.add(z0.rearrange(UP_4));
        z0 = z0.add(z0.rearrange(UP_2));
        z0 = z0.add(z0.rearrange(UP_1));
        z0.intoArray(work, w1 + count);
        work[w0 + count] = work[w1 + count];
        work[w1 + count] = work[w1 + count + 8];
    }
}
