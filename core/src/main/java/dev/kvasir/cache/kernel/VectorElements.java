package dev.kvasir.cache.kernel;

import static dev.kvasir.cache.kernel.PackedLayout.FLOAT;
import static dev.kvasir.cache.kernel.PackedLayout.SHORT;
import static dev.kvasir.cache.kernel.Species.F;
import static dev.kvasir.cache.kernel.Species.I;
import static dev.kvasir.cache.kernel.Species.S;
import static dev.kvasir.cache.kernel.Species.V;

import java.lang.foreign.MemorySegment;
import java.nio.ByteOrder;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.ShortVector;
import jdk.incubator.vector.VectorOperators;

/** Conversion between pages of exact elements and floats. */
final class VectorElements {
    private VectorElements() {}

    static void decodeF32(MemorySegment page, long byteOffset, int count, float[] out, int outOffset) {
        MemorySegment.copy(page, FLOAT, byteOffset, out, outOffset, count);
    }

    static void decodeBf16(MemorySegment page, long byteOffset, int count, float[] out, int outOffset) {
        int i = 0;
        for (; i <= count - V; i += V) {
            shorts(page, byteOffset + 2L * i)
                    .lanewise(VectorOperators.LSHL, 16)
                    .reinterpretAsFloats()
                    .intoArray(out, outOffset + i);
        }
        for (; i < count; i++) {
            out[outOffset + i] = Float.intBitsToFloat(page.get(SHORT, byteOffset + 2L * i) << 16);
        }
    }

    /** The plain loop: the JIT turns it into the processor's own conversion. */
    static void decodeF16(MemorySegment page, long byteOffset, int count, float[] out, int outOffset) {
        for (int i = 0; i < count; i++) {
            out[outOffset + i] = Float.float16ToFloat(page.get(SHORT, byteOffset + 2L * i));
        }
    }

    /** A vector of shorts, sign-extended. */
    static IntVector shorts(MemorySegment page, long byteOffset) {
        return (IntVector) ShortVector.fromMemorySegment(S, page, byteOffset, ByteOrder.LITTLE_ENDIAN)
                .convertShape(VectorOperators.S2I, I, 0);
    }

    static void encodeF32(float[] in, int inOffset, int count, MemorySegment page, long byteOffset) {
        MemorySegment.copy(in, inOffset, page, FLOAT, byteOffset, count);
    }

    static void encodeBf16(float[] in, int inOffset, int count, MemorySegment page, long byteOffset) {
        int i = 0;
        for (; i <= count - V; i += V) {
            IntVector bits = FloatVector.fromArray(F, in, inOffset + i).reinterpretAsInts();
            IntVector odd = bits.lanewise(VectorOperators.LSHR, 16).and(1);
            intoShorts(bits.add(0x7fff).add(odd).lanewise(VectorOperators.LSHR, 16), page, byteOffset + 2L * i);
        }
        for (; i < count; i++) {
            page.set(SHORT, byteOffset + 2L * i, Element.bf16(in[inOffset + i]));
        }
    }

    /** The plain loop: the JIT turns it into the processor's own conversion. */
    static void encodeF16(float[] in, int inOffset, int count, MemorySegment page, long byteOffset) {
        for (int i = 0; i < count; i++) {
            page.set(SHORT, byteOffset + 2L * i, Element.f16(in[inOffset + i]));
        }
    }

    private static void intoShorts(IntVector values, MemorySegment page, long byteOffset) {
        ((ShortVector) values.convertShape(VectorOperators.I2S, S, 0))
                .intoMemorySegment(page, byteOffset, ByteOrder.LITTLE_ENDIAN);
    }
}
