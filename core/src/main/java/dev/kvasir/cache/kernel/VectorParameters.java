package dev.kvasir.cache.kernel;

import static dev.kvasir.cache.kernel.PackedLayout.BYTE;
import static dev.kvasir.cache.kernel.Species.B;
import static dev.kvasir.cache.kernel.Species.F;
import static dev.kvasir.cache.kernel.Species.I;
import static dev.kvasir.cache.kernel.Species.V;

import java.lang.foreign.MemorySegment;
import java.nio.ByteOrder;
import java.util.Arrays;
import jdk.incubator.vector.ByteVector;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorOperators;

/** Scales and zeros of a page as floats: whatever the formats, an element is {@code scale * level + zero}. */
final class VectorParameters {
    private VectorParameters() {}

    /** Writes {@code count} scales to {@code out[at..]} and as many zeros behind them, from one parameter on. */
    static void decode(PackedLayout layout, MemorySegment page, int parameter, int count, float[] out, int at) {
        decodeStored(layout, page, parameter, count, out, at);
        Quantizer quantizer = layout.quantizer();
        if (quantizer.zeroFormat() == ZeroFormat.NONE) {
            multiply(out, at, count, -quantizer.offset(), at + count);
        }
    }

    /** As {@link #decode}, without zeros where none are stored. */
    static void decodeStored(PackedLayout layout, MemorySegment page, int parameter, int count, float[] out, int at) {
        Quantizer quantizer = layout.quantizer();
        scales(quantizer.scaleFormat(), page, layout.scaleOffset(parameter), count, out, at);
        if (quantizer.step() != 1) {
            VectorSoftmax.scale(out, at, count, quantizer.step());
        }
        long offset = layout.zeroOffset(parameter);
        int zeros = at + count;
        switch (quantizer.zeroFormat()) {
            case NONE -> {}
            case F16 -> f16(page, offset, count, out, zeros);
            case F16_CODE -> {
                f16(page, offset, count, out, zeros);
                shift(out, at, count, zeros);
            }
            case INT8_CODE -> {
                bytes(page, offset, count, out, zeros);
                shift(out, at, count, zeros);
            }
        }
    }

    private static void scales(ScaleFormat format, MemorySegment page, long offset, int count, float[] out, int at) {
        switch (format) {
            case NONE -> Arrays.fill(out, at, at + count, 1f);
            case F16 -> f16(page, offset, count, out, at);
            case E8M0 -> e8m0(page, offset, count, out, at);
            case E4M3 -> e4m3(page, offset, count, out, at);
        }
    }

    /**
     * As {@link VectorElements#decodeF16}, for finite numbers and runs too short for a plain loop to pay: exponent and mantissa
     * are moved to where F32 has them, then the exponent's bias is corrected by a multiplication, exact for subnormals too.
     */
    static void f16(MemorySegment page, long offset, int count, float[] out, int at) {
        int i = 0;
        for (; i <= count - V; i += V) {
            IntVector bits = VectorElements.shorts(page, offset + 2L * i);
            FloatVector magnitude = bits.and(0x7fff)
                    .lanewise(VectorOperators.LSHL, 13)
                    .reinterpretAsFloats()
                    .mul(0x1p112f);
            magnitude
                    .reinterpretAsInts()
                    .or(bits.and(0x8000_0000))
                    .reinterpretAsFloats()
                    .intoArray(out, at + i);
        }
        for (; i < count; i++) {
            out[at + i] = ScaleFormat.F16.get(page, offset + 2L * i);
        }
    }

    private static void e8m0(MemorySegment page, long offset, int count, float[] out, int at) {
        int i = 0;
        for (; V >= 8 && i <= count - V; i += V) {
            load(page, offset + i)
                    .and(255)
                    .lanewise(VectorOperators.LSHL, 23)
                    .reinterpretAsFloats()
                    .intoArray(out, at + i);
        }
        for (; i < count; i++) {
            out[at + i] = ScaleFormat.E8M0.get(page, offset + i);
        }
    }

    /** As {@link #f16} with other field widths. */
    private static void e4m3(MemorySegment page, long offset, int count, float[] out, int at) {
        int i = 0;
        for (; V >= 8 && i <= count - V; i += V) {
            IntVector bits = load(page, offset + i);
            FloatVector magnitude = bits.and(0x7f)
                    .lanewise(VectorOperators.LSHL, 20)
                    .reinterpretAsFloats()
                    .mul(0x1p120f);
            magnitude
                    .reinterpretAsInts()
                    .or(bits.and(0x8000_0000))
                    .reinterpretAsFloats()
                    .intoArray(out, at + i);
        }
        for (; i < count; i++) {
            out[at + i] = ScaleFormat.E4M3.get(page, offset + i);
        }
    }

    private static void bytes(MemorySegment page, long offset, int count, float[] out, int at) {
        int i = 0;
        for (; V >= 8 && i <= count - V; i += V) {
            ((FloatVector) load(page, offset + i).convert(VectorOperators.I2F, 0)).intoArray(out, at + i);
        }
        for (; i < count; i++) {
            out[at + i] = page.get(BYTE, offset + i);
        }
    }

    /** A vector of bytes, sign-extended. */
    private static IntVector load(MemorySegment page, long offset) {
        return (IntVector) ByteVector.fromMemorySegment(B, page, offset, ByteOrder.LITTLE_ENDIAN)
                .convertShape(VectorOperators.B2I, I, 0);
    }

    /** {@code to[i] = at[i] * factor}. */
    private static void multiply(float[] values, int at, int count, float factor, int to) {
        int i = 0;
        for (; i <= count - V; i += V) {
            FloatVector.fromArray(F, values, at + i).mul(factor).intoArray(values, to + i);
        }
        for (; i < count; i++) {
            values[to + i] = values[at + i] * factor;
        }
    }

    /** A code that means 0 becomes the number that code 0 means. */
    private static void shift(float[] values, int scales, int count, int zeros) {
        int i = 0;
        for (; i <= count - V; i += V) {
            FloatVector.fromArray(F, values, zeros + i)
                    .neg()
                    .mul(FloatVector.fromArray(F, values, scales + i))
                    .intoArray(values, zeros + i);
        }
        for (; i < count; i++) {
            values[zeros + i] = -values[zeros + i] * values[scales + i];
        }
    }
}
