package dev.kvasir.tensor;

import static dev.kvasir.tensor.Simd.F;
import static dev.kvasir.tensor.Simd.I;
import static dev.kvasir.tensor.Simd.LANES;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import jdk.incubator.vector.ByteVector;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorSpecies;

/**
 * Packed weights as floats, many at once: whole runs of 32 elements, the unit that every packed type is made of. To the bit
 * what the {@code value} methods of the layouts give for one element.
 */
final class Runs {
    /** Elements of a run. */
    static final int RUN = 32;

    /** As many bytes as {@link Simd#F} has floats. */
    private static final VectorSpecies<Byte> BYTES = LANES == 16 ? ByteVector.SPECIES_128 : ByteVector.SPECIES_64;

    private static final IntVector LANE = IntVector.zero(I).addIndex(1);
    private static final ValueLayout.OfInt BITS = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private Runs() {}

    /** Whether this machine's vectors fit the runs: of 8 or 16 floats. */
    static boolean serve(DType dtype) {
        return LANES == 16 || (LANES == 8 && dtype != DType.IQ4_NL);
    }

    /** Writes {@code count} runs, from run {@code first} of the data on, to {@code out} at {@code at}. */
    static void read(DType dtype, MemorySegment data, long first, int count, float[] out, int at) {
        switch (dtype) {
            case Q8_0 -> q8(data, first, count, out, at);
            case Q4_0 -> q4(data, first, count, out, at);
            case Q4_1 -> q4WithMinimum(data, first, count, out, at);
            case IQ4_NL -> iq4(data, first, count, out, at);
            case Q5_0 -> q5(data, first, count, out, at);
            case Q5_1 -> q5WithMinimum(data, first, count, out, at);
            default -> SuperRuns.read(dtype, data, first, count, out, at);
        }
    }

    /** Bytes from {@code offset} on, 0 to 255. */
    static IntVector unsigned(MemorySegment data, long offset) {
        return ByteVector.fromMemorySegment(BYTES, data, offset, ByteOrder.LITTLE_ENDIAN)
                .convertShape(VectorOperators.ZERO_EXTEND_B2I, I, 0)
                .reinterpretAsInts();
    }

    /** Bytes from {@code offset} on, -128 to 127, as floats. */
    static FloatVector signed(MemorySegment data, long offset) {
        return (FloatVector) ByteVector.fromMemorySegment(BYTES, data, offset, ByteOrder.LITTLE_ENDIAN)
                .convertShape(VectorOperators.B2F, F, 0);
    }

    /** Whole numbers as floats. */
    static FloatVector floats(IntVector codes) {
        return (FloatVector) codes.convert(VectorOperators.I2F, 0);
    }

    private static void q8(MemorySegment data, long first, int count, float[] out, int at) {
        long block = first * DType.Q8_0.blockBytes();
        for (int i = at; i < at + RUN * count; i += RUN, block += DType.Q8_0.blockBytes()) {
            float d = Halves.at(data, block);
            for (int j = 0; j < RUN; j += LANES) {
                signed(data, block + 2 + j).mul(d).intoArray(out, i + j);
            }
        }
    }

    private static void q4(MemorySegment data, long first, int count, float[] out, int at) {
        long block = first * DType.Q4_0.blockBytes();
        for (int i = at; i < at + RUN * count; i += RUN, block += DType.Q4_0.blockBytes()) {
            float d = Halves.at(data, block);
            for (int j = 0; j < 16; j += LANES) {
                IntVector both = unsigned(data, block + 2 + j);
                floats(both.and(15).sub(8)).mul(d).intoArray(out, i + j);
                floats(both.lanewise(VectorOperators.LSHR, 4).sub(8)).mul(d).intoArray(out, i + 16 + j);
            }
        }
    }

    private static void iq4(MemorySegment data, long first, int count, float[] out, int at) {
        FloatVector levels = FloatVector.fromArray(F, NibbleBlocks.levels(), 0);
        long block = first * DType.IQ4_NL.blockBytes();
        for (int i = at; i < at + RUN * count; i += RUN, block += DType.IQ4_NL.blockBytes()) {
            IntVector both = unsigned(data, block + 2);
            FloatVector table = levels.mul(Halves.at(data, block));
            look(table, both.and(15)).intoArray(out, i);
            look(table, both.lanewise(VectorOperators.LSHR, 4)).intoArray(out, i + 16);
        }
    }

    private static FloatVector look(FloatVector table, IntVector codes) {
        return codes.selectFrom(table.reinterpretAsInts()).reinterpretAsFloats();
    }

    private static void q4WithMinimum(MemorySegment data, long first, int count, float[] out, int at) {
        long block = first * DType.Q4_1.blockBytes();
        for (int i = at; i < at + RUN * count; i += RUN, block += DType.Q4_1.blockBytes()) {
            float d = Halves.at(data, block);
            float m = Halves.at(data, block + 2);
            for (int j = 0; j < 16; j += LANES) {
                IntVector both = unsigned(data, block + 4 + j);
                floats(both.and(15)).mul(d).add(m).intoArray(out, i + j);
                floats(both.lanewise(VectorOperators.LSHR, 4)).mul(d).add(m).intoArray(out, i + 16 + j);
            }
        }
    }

    private static void q5(MemorySegment data, long first, int count, float[] out, int at) {
        long block = first * DType.Q5_0.blockBytes();
        for (int i = at; i < at + RUN * count; i += RUN, block += DType.Q5_0.blockBytes()) {
            float d = Halves.at(data, block);
            int fifth = data.get(BITS, block + 2);
            for (int j = 0; j < 16; j += LANES) {
                IntVector both = unsigned(data, block + 6 + j);
                floats(both.and(15).or(fifth(fifth, j)).sub(16)).mul(d).intoArray(out, i + j);
                IntVector high = both.lanewise(VectorOperators.LSHR, 4).or(fifth(fifth, 16 + j));
                floats(high.sub(16)).mul(d).intoArray(out, i + 16 + j);
            }
        }
    }

    private static void q5WithMinimum(MemorySegment data, long first, int count, float[] out, int at) {
        long block = first * DType.Q5_1.blockBytes();
        for (int i = at; i < at + RUN * count; i += RUN, block += DType.Q5_1.blockBytes()) {
            float d = Halves.at(data, block);
            float m = Halves.at(data, block + 2);
            int fifth = data.get(BITS, block + 4);
            for (int j = 0; j < 16; j += LANES) {
                IntVector both = unsigned(data, block + 8 + j);
                floats(both.and(15).or(fifth(fifth, j))).mul(d).add(m).intoArray(out, i + j);
                IntVector high = both.lanewise(VectorOperators.LSHR, 4).or(fifth(fifth, 16 + j));
                floats(high).mul(d).add(m).intoArray(out, i + 16 + j);
            }
        }
    }

    /** 16 where bit {@code from + lane} is set. */
    private static IntVector fifth(int bits, int from) {
        return IntVector.broadcast(I, bits >>> from)
                .lanewise(VectorOperators.LSHR, LANE)
                .and(1)
                .lanewise(VectorOperators.LSHL, 4);
    }
}
