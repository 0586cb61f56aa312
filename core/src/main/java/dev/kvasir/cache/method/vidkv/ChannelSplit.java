package dev.kvasir.cache.method.vidkv;

import dev.kvasir.cache.CacheFileException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.stream.IntStream;

/** Which channels of a head are abnormal; both kinds in ascending order. */
final class ChannelSplit {
    private final int[] abnormal;
    private final int[] normal;

    private ChannelSplit(boolean[] isAbnormal) {
        abnormal =
                IntStream.range(0, isAbnormal.length).filter(c -> isAbnormal[c]).toArray();
        normal = IntStream.range(0, isAbnormal.length)
                .filter(c -> !isAbnormal[c])
                .toArray();
    }

    /** The {@code count} channels of the highest scores are abnormal; of equal ones the first. */
    static ChannelSplit highest(double[] scores, int count) {
        boolean[] chosen = new boolean[scores.length];
        IntStream.range(0, scores.length)
                .boxed()
                .sorted((a, b) -> Double.compare(scores[b], scores[a]))
                .limit(count)
                .forEach(c -> chosen[c] = true);
        return new ChannelSplit(chosen);
    }

    /** The first channels: what there is before any have been chosen. */
    static ChannelSplit first(int channels, int count) {
        boolean[] chosen = new boolean[channels];
        for (int c = 0; c < count; c++) {
            chosen[c] = true;
        }
        return new ChannelSplit(chosen);
    }

    /** Nobody writes to it. */
    int[] abnormal() {
        return abnormal;
    }

    /** Nobody writes to it. */
    int[] normal() {
        return normal;
    }

    /** Bytes of a mask. */
    static int maskBytes(int channels) {
        return Math.ceilDiv(channels, 8);
    }

    /** Writes a bit for each channel, 1 for the abnormal ones. */
    void write(MemorySegment page, long offset) {
        byte[] mask = new byte[maskBytes(abnormal.length + normal.length)];
        for (int c : abnormal) {
            mask[c / 8] |= (byte) (1 << (c % 8));
        }
        MemorySegment.copy(mask, 0, page, ValueLayout.JAVA_BYTE, offset, mask.length);
    }

    /** Reads what {@link #write} wrote; throws if it does not mark {@code count} channels. */
    static ChannelSplit read(MemorySegment page, long offset, int channels, int count) throws CacheFileException {
        boolean[] chosen = new boolean[channels];
        int found = 0;
        for (int c = 0; c < channels; c++) {
            chosen[c] = (page.get(ValueLayout.JAVA_BYTE, offset + c / 8) >>> (c % 8) & 1) == 1;
            found += chosen[c] ? 1 : 0;
        }
        if (found != count) {
            throw new CacheFileException("channels of 2 bits: found " + found + ", expected " + count);
        }
        return new ChannelSplit(chosen);
    }
}
