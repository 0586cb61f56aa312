package dev.kvasir.cache.kernel;

import static dev.kvasir.cache.kernel.Species.F;
import static dev.kvasir.cache.kernel.Species.I;
import static dev.kvasir.cache.kernel.Species.V;

import java.lang.foreign.MemorySegment;
import java.nio.ByteOrder;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorOperators;

/**
 * One depth of a run of lanes: numbers to codes, as {@link Quantizer#code} lane by lane, and codes to their words.
 *
 * <p>The run is whole vectors. {@code work} holds the encoding scales, the encoding zeros and the codes (as floats), {@code
 * lanes} numbers each.
 */
final class VectorCodes {
    /** Adding 1.5 * 2^23 and taking it off again rounds a small float half to even. */
    private static final float ROUNDER = 12582912f;

    /** Beyond every code, so that nothing larger has to be rounded. */
    private static final float BEYOND = 1024f;

    private static final float BELOW_HALF = 0.49999997f;

    private VectorCodes() {}

    static void make(Quantizer quantizer, int most, float[] in, int from, int lanes, float[] work) {
        switch (quantizer.rounding()) {
            case EVEN -> even(most, in, from, lanes, work);
            case EVEN_SHIFTED -> evenShifted(most, in, from, lanes, work);
            case EVEN_OFFSET -> evenOffset(quantizer.lowest(), most, in, from, lanes, work);
            case TRUNCATED -> truncated(quantizer.offset() + 0.5f, most, in, from, lanes, work);
            case HALF_AWAY -> halfAway(quantizer.offset(), most, in, from, lanes, work);
            case NEAREST -> nearest(quantizer.borders(), quantizer.inverse(), in, from, lanes, work);
            case THRESHOLD -> threshold(in, from, lanes, work);
        }
    }

    private static void even(int most, float[] in, int from, int lanes, float[] work) {
        for (int i = 0; i < lanes; i += V) {
            FloatVector scale = FloatVector.fromArray(F, work, i);
            FloatVector.fromArray(F, in, from + i)
                    .sub(FloatVector.fromArray(F, work, lanes + i))
                    .div(scale)
                    .blend(0f, scale.compare(VectorOperators.EQ, 0f))
                    .max(0f)
                    .min(most)
                    .add(ROUNDER)
                    .sub(ROUNDER)
                    .intoArray(work, 2 * lanes + i);
        }
    }

    private static void evenShifted(int most, float[] in, int from, int lanes, float[] work) {
        for (int i = 0; i < lanes; i += V) {
            FloatVector scale = FloatVector.fromArray(F, work, i);
            FloatVector.fromArray(F, in, from + i)
                    .div(scale)
                    .blend(0f, scale.compare(VectorOperators.EQ, 0f))
                    .add(FloatVector.fromArray(F, work, lanes + i))
                    .max(0f)
                    .min(most)
                    .add(ROUNDER)
                    .sub(ROUNDER)
                    .intoArray(work, 2 * lanes + i);
        }
    }

    /** In two loops: one is longer than what the JIT inlines, and its vectors would be objects. */
    private static void evenOffset(int lowest, int most, float[] in, int from, int lanes, float[] work) {
        for (int i = 0; i < lanes; i += V) {
            FloatVector scale = FloatVector.fromArray(F, work, i);
            FloatVector.fromArray(F, in, from + i)
                    .div(scale)
                    .blend(0f, scale.compare(VectorOperators.EQ, 0f))
                    .max(-BEYOND)
                    .min(BEYOND)
                    .add(ROUNDER)
                    .sub(ROUNDER)
                    .intoArray(work, 2 * lanes + i);
        }
        shift(lowest, most, lanes, work);
    }

    private static void shift(int lowest, int most, int lanes, float[] work) {
        for (int i = 0; i < lanes; i += V) {
            FloatVector.fromArray(F, work, 2 * lanes + i)
                    .add(FloatVector.fromArray(F, work, lanes + i))
                    .max(lowest)
                    .min(most)
                    .intoArray(work, 2 * lanes + i);
        }
    }

    private static void truncated(float half, int most, float[] in, int from, int lanes, float[] work) {
        for (int i = 0; i < lanes; i += V) {
            FloatVector scaled = FloatVector.fromArray(F, in, from + i)
                    .sub(FloatVector.fromArray(F, work, lanes + i))
                    .mul(FloatVector.fromArray(F, work, i))
                    .add(half)
                    .max(0f)
                    .min(most);
            ((FloatVector) scaled.convert(VectorOperators.F2I, 0).convert(VectorOperators.I2F, 0))
                    .intoArray(work, 2 * lanes + i);
        }
    }

    /** Ties go away from zero; the half is the float below it, so that the number below a half does not become 1. */
    private static void halfAway(float offset, int most, float[] in, int from, int lanes, float[] work) {
        for (int i = 0; i < lanes; i += V) {
            FloatVector scaled = FloatVector.fromArray(F, in, from + i).mul(FloatVector.fromArray(F, work, i));
            FloatVector half =
                    FloatVector.broadcast(F, BELOW_HALF).blend(-BELOW_HALF, scaled.compare(VectorOperators.LT, 0f));
            ((FloatVector) scaled.add(half).convert(VectorOperators.F2I, 0).convert(VectorOperators.I2F, 0))
                    .add(offset)
                    .max(0f)
                    .min(most)
                    .intoArray(work, 2 * lanes + i);
        }
    }

    private static void nearest(float[] borders, boolean inverse, float[] in, int from, int lanes, float[] work) {
        for (int i = 0; i < lanes; i += V) {
            FloatVector scale = FloatVector.fromArray(F, work, i);
            FloatVector moved = FloatVector.fromArray(F, in, from + i).sub(FloatVector.fromArray(F, work, lanes + i));
            FloatVector scaled =
                    inverse ? moved.mul(scale) : moved.div(scale).blend(0f, scale.compare(VectorOperators.EQ, 0f));
            FloatVector codes = FloatVector.zero(F);
            for (float border : borders) {
                codes = codes.add(1f, scaled.compare(VectorOperators.GT, border));
            }
            codes.intoArray(work, 2 * lanes + i);
        }
    }

    private static void threshold(float[] in, int from, int lanes, float[] work) {
        for (int i = 0; i < lanes; i += V) {
            FloatVector x = FloatVector.fromArray(F, in, from + i);
            FloatVector border = FloatVector.fromArray(F, work, i);
            VectorMask<Float> above = x.compare(VectorOperators.GT, border);
            VectorMask<Float> below = x.compare(VectorOperators.LT, border.neg());
            FloatVector.broadcast(F, 1f).add(1f, above).sub(1f, below).intoArray(work, 2 * lanes + i);
        }
    }

    /** Replaces the codes of one depth of a run of lanes by those in {@code work}. */
    static void store(PackedLayout layout, MemorySegment page, int depth, int lane, int lanes, float[] work) {
        if (layout.bits() == PackedLayout.TRITS) {
            for (int i = 0; i < lanes; i += V) {
                storeTrits(page, layout.wordAt(0, depth, lane + i), depth % Trits.PER_WORD, work, 2 * lanes + i);
            }
            return;
        }
        for (int plane = 0; plane < layout.planes(); plane++) {
            int width = layout.planeBits(plane);
            int shift = depth % layout.perWord(plane) * width;
            for (int i = 0; i < lanes; i += V) {
                long offset = layout.wordAt(plane, depth, lane + i);
                storePlane(page, offset, layout.planeShift(plane), width, shift, work, 2 * lanes + i);
            }
        }
    }

    private static void storePlane(
            MemorySegment page, long offset, int drop, int width, int shift, float[] codes, int at) {
        int mask = (1 << width) - 1;
        IntVector field = ((IntVector) FloatVector.fromArray(F, codes, at).convert(VectorOperators.F2I, 0))
                .lanewise(VectorOperators.LSHR, drop)
                .and(mask)
                .lanewise(VectorOperators.LSHL, shift);
        IntVector.fromMemorySegment(I, page, offset, ByteOrder.LITTLE_ENDIAN)
                .and(~(mask << shift))
                .or(field)
                .intoMemorySegment(page, offset, ByteOrder.LITTLE_ENDIAN);
    }

    /** As {@link Trits#set}; the division is made in floats and put right by at most one either way. */
    private static void storeTrits(MemorySegment page, long offset, int index, float[] codes, int at) {
        int shift = index / Trits.PER_HALF * 16;
        int digit = index % Trits.PER_HALF;
        IntVector trits = (IntVector) FloatVector.fromArray(F, codes, at).convert(VectorOperators.F2I, 0);
        IntVector words = IntVector.fromMemorySegment(I, page, offset, ByteOrder.LITTLE_ENDIAN);
        IntVector halves = words.lanewise(VectorOperators.LSHR, shift).and(0xffff);
        IntVector old = halves.mul(Trits.power(digit)).and(0xffff).mul(3).lanewise(VectorOperators.LSHR, 16);
        IntVector numbers = halves.mul(Trits.NUMBERS)
                .lanewise(VectorOperators.LSHR, 16)
                .add(trits.sub(old).mul(Trits.power(Trits.PER_HALF - 1 - digit)));
        IntVector changed = (IntVector) ((FloatVector) numbers.convert(VectorOperators.I2F, 0))
                .mul(65536f / Trits.NUMBERS)
                .convert(VectorOperators.F2I, 0);
        // The smallest half that stands for the number.
        IntVector back = changed.mul(Trits.NUMBERS).lanewise(VectorOperators.LSHR, 16);
        changed = changed.add(1, back.compare(VectorOperators.LT, numbers));
        IntVector before = changed.sub(1);
        back = before.mul(Trits.NUMBERS).lanewise(VectorOperators.LSHR, 16);
        VectorMask<Integer> tooLarge =
                back.compare(VectorOperators.GE, numbers).and(changed.compare(VectorOperators.GT, 0));
        changed = changed.sub(1, tooLarge);
        words.and(~(0xffff << shift))
                .or(changed.lanewise(VectorOperators.LSHL, shift))
                .intoMemorySegment(page, offset, ByteOrder.LITTLE_ENDIAN);
    }
}
