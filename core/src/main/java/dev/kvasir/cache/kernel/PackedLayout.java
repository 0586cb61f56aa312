package dev.kvasir.cache.kernel;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/**
 * A page that holds a matrix {@code [depth][lanes]} as codes of a few bits with a scale and a zero for each group.
 *
 * <pre>
 *   page    = plane | ... | scales | zeros            (as far as the quantizer stores them)
 *   plane   = unit 0 | unit 1 | ... | unit lanes/16-1
 *   unit    = word row 0 | word row 1 | ...           (depth / n rows; the last may be filled in part)
 *   word row = 16 little-endian int32, one for each lane
 *   int32   = code of depth k*n | k*n+1 | ... | k*n+n-1, low bits first, n = 32 / planeBits
 *   scales  = PER_DEPTH: [lanes / group][depth]   PER_LANE: [depth / group][lanes]; zeros likewise
 * </pre>
 *
 * One 64-byte load thus brings {@code n} depths for 16 lanes and no lane ever crosses another. A width that is no power of
 * two is split into planes, low bits first (5 = 4 + 1): a code is the sum of its planes' fields, shifted. {@link #TRITS} are
 * stored by {@link Trits}, n = 20.
 *
 * @param lanes columns; a multiple of 16
 * @param depth rows; with 128 rows of 1 to 8 bits, or 160 rows of trits, no word is filled in part
 * @param bits of a code, 1 to 8 except 7, or {@link #TRITS}
 * @param group numbers that share a scale: lanes, a multiple of 16, for {@code PER_DEPTH}, depths for {@code PER_LANE}
 * @param axis which way the groups run
 * @param quantizer how a group becomes codes
 */
public record PackedLayout(int lanes, int depth, int bits, int group, Axis axis, Quantizer quantizer) {
    /** Lanes of a unit. */
    public static final int UNIT = 16;

    /** In place of a number of bits: codes 0, 1 and 2, 20 of them in 32 bits. */
    public static final int TRITS = -3;

    static final ValueLayout.OfByte BYTE = ValueLayout.JAVA_BYTE;
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
        int step = axis == Axis.PER_DEPTH ? UNIT : 1;
        if (lanes <= 0 || depth <= 0 || group <= 0 || lanes % UNIT != 0 || group % step != 0 || grouped % group != 0) {
            throw new IllegalArgumentException("packed [" + depth + "][" + lanes + "] by " + group + " " + axis);
        }
        planes(bits);
        if (quantizer.bits() != 0 && quantizer.bits() != bits) {
            throw new IllegalArgumentException(bits + " bits of " + quantizer + ", which has " + quantizer.bits());
        }
    }

    /** Planes of a code width. */
    static int planes(int bits) {
        return switch (bits) {
            case 1, 2, 4, 8, TRITS -> 1;
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

    /** Codes of a word of a plane. */
    int perWord(int plane) {
        return bits == TRITS ? Trits.PER_WORD : 32 / planeBits(plane);
    }

    /** Depths that fill whole words of every plane. */
    public int wordDepths() {
        return planes() == 1 ? perWord(0) : Math.max(perWord(0), perWord(1));
    }

    /** The highest code. */
    int most() {
        return bits == TRITS ? 2 : (1 << bits) - 1;
    }

    private int wordRows(int plane) {
        return Math.ceilDiv(depth, perWord(plane));
    }

    /** Bytes from unit to unit of a plane. */
    long unitBytes(int plane) {
        return wordRows(plane) * (UNIT * 4L);
    }

    /** Byte offset of a word row. */
    long wordOffset(int plane, int unit, int wordRow) {
        long planeStart = plane == 0 ? 0 : lanes / UNIT * unitBytes(0);
        return planeStart + unit * unitBytes(plane) + wordRow * (UNIT * 4L);
    }

    /** Byte offset of the word of a plane that holds the code of one element. */
    long wordAt(int plane, int depthIndex, int lane) {
        return wordOffset(plane, lane / UNIT, depthIndex / perWord(plane)) + lane % UNIT * 4L;
    }

    /** Bytes of the codes alone, words filled in part included. */
    public long codeBytes() {
        return wordOffset(planes() - 1, lanes / UNIT, 0);
    }

    /** Bytes of scales and zeros. */
    public long scaleBytes() {
        return (long) lanes * depth / group * quantizer.parameterBytes();
    }

    /** Bytes of a page. */
    public long bytes() {
        return codeBytes() + scaleBytes();
    }

    /** Index of the parameters of one element's group among the scales, and among the zeros. */
    int parameterIndex(int depthIndex, int lane) {
        return axis == Axis.PER_DEPTH ? lane / group * depth + depthIndex : depthIndex / group * lanes + lane;
    }

    /** Byte offset of a scale. */
    long scaleOffset(int parameterIndex) {
        return codeBytes() + (long) parameterIndex * quantizer.scaleFormat().bytes();
    }

    /** Byte offset of a zero. */
    long zeroOffset(int parameterIndex) {
        return scaleOffset(lanes * depth / group)
                + (long) parameterIndex * quantizer.zeroFormat().bytes();
    }

    /** The code of one element. */
    public int code(MemorySegment page, int depthIndex, int lane) {
        if (bits == TRITS) {
            return Trits.get(page.get(INT, wordAt(0, depthIndex, lane)), depthIndex % Trits.PER_WORD);
        }
        int code = 0;
        for (int plane = 0; plane < planes(); plane++) {
            int width = planeBits(plane);
            int word = page.get(INT, wordAt(plane, depthIndex, lane));
            int field = word >>> (depthIndex % perWord(plane) * width) & (1 << width) - 1;
            code |= field << planeShift(plane);
        }
        return code;
    }

    /** Replaces the code of one element. */
    void setCode(MemorySegment page, int depthIndex, int lane, int code) {
        for (int plane = 0; plane < planes(); plane++) {
            long offset = wordAt(plane, depthIndex, lane);
            int word = page.get(INT, offset);
            if (bits == TRITS) {
                page.set(INT, offset, Trits.set(word, depthIndex % Trits.PER_WORD, code));
            } else {
                int width = planeBits(plane);
                int shift = depthIndex % perWord(plane) * width;
                int mask = (1 << width) - 1;
                int field = ((code >>> planeShift(plane)) & mask) << shift;
                page.set(INT, offset, (word & ~(mask << shift)) | field);
            }
        }
    }

    /** What the level of one element is multiplied by. */
    public float scale(MemorySegment page, int depthIndex, int lane) {
        long offset = scaleOffset(parameterIndex(depthIndex, lane));
        return quantizer.scaleFormat().get(page, offset) * quantizer.step();
    }

    /** What is added to scale * level of one element; where codes are linear, the number that code 0 means. */
    public float zero(MemorySegment page, int depthIndex, int lane) {
        float stored = quantizer.zeroFormat().get(page, zeroOffset(parameterIndex(depthIndex, lane)));
        return switch (quantizer.zeroFormat()) {
            case NONE -> -quantizer.offset() * scale(page, depthIndex, lane);
            case F16 -> stored;
            case F16_CODE, INT8_CODE -> -stored * scale(page, depthIndex, lane);
        };
    }

    /** The number that one element stands for. */
    public float value(MemorySegment page, int depthIndex, int lane) {
        float level = quantizer.level(code(page, depthIndex, lane));
        return scale(page, depthIndex, lane) * level + zero(page, depthIndex, lane);
    }

    /** Stores the parameters of one element's group. */
    void setParameters(MemorySegment page, int depthIndex, int lane, float scale, float zero) {
        int index = parameterIndex(depthIndex, lane);
        quantizer.scaleFormat().set(page, scaleOffset(index), scale);
        quantizer.zeroFormat().set(page, zeroOffset(index), zero);
    }

    /** Copies the codes of a lane, and its parameters, over those of another; only where no scale is shared by lanes. */
    public void copyLane(MemorySegment from, int fromLane, MemorySegment to, int toLane) {
        for (int d = 0; d < depth; d++) {
            setCode(to, d, toLane, code(from, d, fromLane));
        }
        for (int d = 0; d < depth && quantizer.parameterBytes() > 0; d += group) {
            copyParameters(from, parameterIndex(d, fromLane), to, parameterIndex(d, toLane));
        }
    }

    /** Copies the codes of a depth, and its parameters, over those of another; only where no scale is shared by depths. */
    public void copyDepth(MemorySegment from, int fromDepth, MemorySegment to, int toDepth) {
        for (int lane = 0; lane < lanes; lane++) {
            setCode(to, toDepth, lane, code(from, fromDepth, lane));
        }
        for (int lane = 0; lane < lanes && quantizer.parameterBytes() > 0; lane += group) {
            copyParameters(from, parameterIndex(fromDepth, lane), to, parameterIndex(toDepth, lane));
        }
    }

    private void copyParameters(MemorySegment from, int fromIndex, MemorySegment to, int toIndex) {
        int scale = quantizer.scaleFormat().bytes();
        int zero = quantizer.zeroFormat().bytes();
        MemorySegment.copy(from, scaleOffset(fromIndex), to, scaleOffset(toIndex), scale);
        MemorySegment.copy(from, zeroOffset(fromIndex), to, zeroOffset(toIndex), zero);
    }
}
