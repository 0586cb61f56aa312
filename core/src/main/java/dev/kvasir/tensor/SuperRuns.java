package dev.kvasir.tensor;

import static dev.kvasir.tensor.Simd.LANES;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorOperators;

/** {@link Runs} of the K types: a run is a stripe of {@link SuperBlocks}, eight to a block. */
final class SuperRuns {
    private static final int STRIPES = 8;

    private SuperRuns() {}

    static void read(DType dtype, MemorySegment data, long first, int count, float[] out, int at) {
        switch (dtype) {
            case Q2_K -> q2(data, first, count, out, at);
            case Q3_K -> q3(data, first, count, out, at);
            case Q4_K -> q4(data, first, count, out, at);
            case Q5_K -> q5(data, first, count, out, at);
            case Q6_K -> q6(data, first, count, out, at);
            default -> throw new IllegalArgumentException(dtype + " has no super-blocks");
        }
    }

    private static void q2(MemorySegment data, long first, int count, float[] out, int at) {
        int i = at;
        for (long run = first; run < first + count; run++, i += Runs.RUN) {
            long block = run / STRIPES * DType.Q2_K.blockBytes();
            int stripe = (int) (run % STRIPES);
            float d = Halves.at(data, block + 80);
            float dmin = Halves.at(data, block + 82);
            for (int j = 0; j < Runs.RUN; j += LANES) {
                int group = Halves.unsigned(data, block + 2L * stripe + j / 16);
                Runs.floats(twoBits(data, block + 16, stripe, j))
                        .mul(d * (group & 15))
                        .sub(dmin * (group >>> 4))
                        .intoArray(out, i + j);
            }
        }
    }

    private static void q3(MemorySegment data, long first, int count, float[] out, int at) {
        int i = at;
        for (long run = first; run < first + count; run++, i += Runs.RUN) {
            long block = run / STRIPES * DType.Q3_K.blockBytes();
            int stripe = (int) (run % STRIPES);
            float d = Halves.at(data, block + 108);
            for (int j = 0; j < Runs.RUN; j += LANES) {
                IntVector third = bit(data, block, stripe, j).lanewise(VectorOperators.LSHL, 2);
                IntVector codes = twoBits(data, block + 32, stripe, j).or(third).sub(4);
                float scale = d * SuperBlocks.q3Scale(data, block + 96, 2 * stripe + j / 16);
                Runs.floats(codes).mul(scale).intoArray(out, i + j);
            }
        }
    }

    private static void q4(MemorySegment data, long first, int count, float[] out, int at) {
        int i = at;
        for (long run = first; run < first + count; run++, i += Runs.RUN) {
            long block = run / STRIPES * DType.Q4_K.blockBytes();
            int stripe = (int) (run % STRIPES);
            float scale = Halves.at(data, block) * SuperBlocks.scale(data, block + 4, stripe);
            float min = Halves.at(data, block + 2) * SuperBlocks.min(data, block + 4, stripe);
            for (int j = 0; j < Runs.RUN; j += LANES) {
                Runs.floats(fourBits(data, block + 16, stripe, j))
                        .mul(scale)
                        .sub(min)
                        .intoArray(out, i + j);
            }
        }
    }

    private static void q5(MemorySegment data, long first, int count, float[] out, int at) {
        int i = at;
        for (long run = first; run < first + count; run++, i += Runs.RUN) {
            long block = run / STRIPES * DType.Q5_K.blockBytes();
            int stripe = (int) (run % STRIPES);
            float scale = Halves.at(data, block) * SuperBlocks.scale(data, block + 4, stripe);
            float min = Halves.at(data, block + 2) * SuperBlocks.min(data, block + 4, stripe);
            for (int j = 0; j < Runs.RUN; j += LANES) {
                IntVector fifth = bit(data, block + 16, stripe, j).lanewise(VectorOperators.LSHL, 4);
                Runs.floats(fourBits(data, block + 48, stripe, j).or(fifth))
                        .mul(scale)
                        .sub(min)
                        .intoArray(out, i + j);
            }
        }
    }

    private static void q6(MemorySegment data, long first, int count, float[] out, int at) {
        int i = at;
        for (long run = first; run < first + count; run++, i += Runs.RUN) {
            long block = run / STRIPES * DType.Q6_K.blockBytes();
            int stripe = (int) (run % STRIPES);
            float d = Halves.at(data, block + 208);
            long low = block + stripe / 4 * 64L + stripe % 2 * 32L;
            int shift = stripe / 2 % 2 * 4;
            for (int j = 0; j < Runs.RUN; j += LANES) {
                IntVector high = twoBits(data, block + 128, stripe, j).lanewise(VectorOperators.LSHL, 4);
                IntVector codes = Runs.unsigned(data, low + j)
                        .lanewise(VectorOperators.LSHR, shift)
                        .and(15)
                        .or(high)
                        .sub(32);
                float scale = d * data.get(ValueLayout.JAVA_BYTE, block + 192 + 2L * stripe + j / 16);
                Runs.floats(codes).mul(scale).intoArray(out, i + j);
            }
        }
    }

    private static IntVector bit(MemorySegment data, long bits, int stripe, int from) {
        return Runs.unsigned(data, bits + from)
                .lanewise(VectorOperators.LSHR, stripe)
                .and(1);
    }

    private static IntVector twoBits(MemorySegment data, long codes, int stripe, int from) {
        return Runs.unsigned(data, codes + stripe / 4 * 32L + from)
                .lanewise(VectorOperators.LSHR, stripe % 4 * 2)
                .and(3);
    }

    private static IntVector fourBits(MemorySegment data, long codes, int stripe, int from) {
        return Runs.unsigned(data, codes + stripe / 2 * 32L + from)
                .lanewise(VectorOperators.LSHR, stripe % 2 * 4)
                .and(15);
    }
}
