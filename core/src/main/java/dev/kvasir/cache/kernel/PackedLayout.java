package dev.kvasir.cache.kernel;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/**
 * A page that holds a matrix {@code [depth][lanes]} as codes of a few bits with F16 scales.
 *
 * <pre>
 *   page    = plane | ... | scales | zeros            (zeros only where the quantizer stores them)
 *   plane   = unit 0 | unit 1 | ... | unit lanes/16-1
 *   unit    = word row 0 | word row 1 | ...           (depth * planeBits / 32 rows)
 *   word row = 16 little-endian int32, one for each lane
 *   int32   = code of depth k*n | k*n+1 | ... | k*n+n-1, low bits first, n = 32 / planeBits
 *   scales  = F16, PER_DEPTH: [lanes / group][depth]   PER_LANE: [depth / group][lanes]
 * </pre>
 *
 * One 64-byte load thus brings {@code n} depths for 16 lanes and no lane ever crosses another. A width that is no power of
 * two is split into planes, low bits first (5 = 4 + 1): a code is the sum of its planes' fields, shifted.
 *
 * @param lanes columns; a multiple of 16
 * @param depth rows; they, and a group of them, fill whole int32 of every plane
 * @param bits of a code, 1 to 8 except 7
 * @param group numbers that share a scale: lanes for {@code PER_DEPTH}, depths for {@code PER_LANE}; a multiple of 16
 * @param axis which way the groups run
 * @param quantizer how a group becomes codes
 */
public record PackedLayout(int lanes, int depth, int bits, int group, Axis axis, Quantizer quantizer) {
    /** Lanes of a unit. */
    public static final int UNIT = 16;

    static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    static final ValueLayout.OfShort SHORT = ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    /** Which way a group of numbers with one scale runs. */
    public enum Axis {
        /** Each depth index has a scale for every {@code group} lanes: per-channel keys, per-token values. */
        PER_DEPTH,
        /** Each lane has a scale for every {@code group} depths: per-token keys, per-channel values. */
        PER_LANE
    }

    /** Checks that the shape can be packed. */
    public PackedLayout {
        int grouped = axis == Axis.PER_DEPTH ? lanes : depth;
        if (lanes % UNIT != 0 || group % UNIT != 0 || grouped % group != 0 || lanes <= 0 || depth <= 0 || group <= 0) {
            throw new IllegalArgumentException("packed [" + depth + "][" + lanes + "] by " + group + " " + axis);
        }
        int whole = axis == Axis.PER_DEPTH ? depth : group;
        for (int plane = 0; plane < planes(bits); plane++) {
            if (whole * planeBits(bits, plane) % 32 != 0) {
                throw new IllegalArgumentException("packed depth " + depth + " of " + bits + " bits");
            }
        }
    }

    /** Planes of a code width. */
    static int planes(int bits) {
        return switch (bits) {
            case 1, 2, 4, 8 -> 1;
            case 3, 5, 6 -> 2;
            default -> throw new IllegalArgumentException(bits + " bits");
        };
    }

    /** Bits of a plane: the first is the low one. */
    static int planeBits(int bits, int plane) {
        return switch (bits) {
            case 3 -> plane == 0 ? 2 : 1;
            case 5 -> plane == 0 ? 4 : 1;
            case 6 -> plane == 0 ? 4 : 2;
            default -> bits;
        };
    }

    int planes() {
        return planes(bits);
    }

    int planeBits(int plane) {
        return planeBits(bits, plane);
    }

    /** How far a plane's field is shifted in a code. */
    int planeShift(int plane) {
        return plane == 0 ? 0 : planeBits(bits, 0);
    }

    /** Byte offset of a word row. */
    long wordOffset(int plane, int unit, int wordRow) {
        long planeStart = plane == 0 ? 0 : (long) lanes * depth * planeBits(bits, 0) / 8;
        int wordRows = depth * planeBits(plane) / 32;
        return planeStart + ((long) unit * wordRows + wordRow) * (UNIT * 4L);
    }

    /** Bytes of the codes alone. */
    public long codeBytes() {
        return (long) lanes * depth * bits / 8;
    }

    /** Bytes of scales and zeros. */
    public long scaleBytes() {
        long scales = (long) lanes * depth / group;
        return scales * (quantizer.hasZero() ? 4 : 2);
    }

    /** Bytes of a page. */
    public long bytes() {
        return codeBytes() + scaleBytes();
    }

    /** Byte offset of the first scale of a group of lanes (PER_DEPTH) or of depths (PER_LANE). */
    long scaleOffset(int groupIndex) {
        int row = axis == Axis.PER_DEPTH ? depth : lanes;
        return codeBytes() + (long) groupIndex * row * 2;
    }

    /** Byte offset of the first zero of a group. */
    long zeroOffset(int groupIndex) {
        return scaleOffset(groupIndex) + (long) lanes * depth / group * 2;
    }

    /** The code of one element. */
    public int code(MemorySegment page, int depthIndex, int lane) {
        int code = 0;
        for (int plane = 0; plane < planes(); plane++) {
            int width = planeBits(plane);
            int perWord = 32 / width;
            int word = page.get(INT, wordOffset(plane, lane / UNIT, depthIndex / perWord) + lane % UNIT * 4L);
            int field = word >>> (depthIndex % perWord * width) & (1 << width) - 1;
            code |= field << planeShift(plane);
        }
        return code;
    }

    /** Replaces the code of one element. */
    void setCode(MemorySegment page, int depthIndex, int lane, int code) {
        for (int plane = 0; plane < planes(); plane++) {
            int width = planeBits(plane);
            int perWord = 32 / width;
            int shift = depthIndex % perWord * width;
            int mask = (1 << width) - 1;
            long offset = wordOffset(plane, lane / UNIT, depthIndex / perWord) + lane % UNIT * 4L;
            int word = page.get(INT, offset) & ~(mask << shift);
            page.set(INT, offset, word | (code >>> planeShift(plane) & mask) << shift);
        }
    }

    /** What the code of one element means. */
    public float value(MemorySegment page, int depthIndex, int lane) {
        return scale(page, depthIndex, lane) * code(page, depthIndex, lane) + zero(page, depthIndex, lane);
    }

    /** The scale that serves one element. */
    public float scale(MemorySegment page, int depthIndex, int lane) {
        return Float.float16ToFloat(page.get(SHORT, parameter(scaleOffset(0), depthIndex, lane)));
    }

    /** The number that code 0 means for one element. */
    public float zero(MemorySegment page, int depthIndex, int lane) {
        if (!quantizer.hasZero()) {
            return -quantizer.offset() * scale(page, depthIndex, lane);
        }
        return Float.float16ToFloat(page.get(SHORT, parameter(zeroOffset(0), depthIndex, lane)));
    }

    private long parameter(long first, int depthIndex, int lane) {
        int index = axis == Axis.PER_DEPTH ? lane / group * depth + depthIndex : depthIndex / group * lanes + lane;
        return first + index * 2L;
    }
}
