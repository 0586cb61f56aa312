package dev.kvasir.cache.kernel;

/**
 * Twenty trits in 32 bits: ten in each half, 1.6 bits a trit.
 *
 * <pre>
 *   int32 = trits 0..9 (low half) | trits 10..19 (high half)
 *   half  = ceil(n * 2^16 / 3^10), n = the ten trits read as a number, the first the most significant
 * </pre>
 *
 * A half is a fraction n / 3^10 of 16 bits, so that multiplying by 3 moves the next trit above bit 16, and multiplying by 9
 * the next two (the idea of llama.cpp's TQ1_0). The fraction is too large by less than 2^-16, which is below 3^-10: no trit ever
 * comes out wrong. Every half stands for some ten trits.
 */
final class Trits {
    static final int PER_WORD = 20;
    static final int PER_HALF = 10;
    /** 3^10. */
    static final int NUMBERS = 59049;

    private Trits() {}

    /** The trit at an index of a word. */
    static int get(int word, int index) {
        int half = (word >>> (index / PER_HALF * 16)) & 0xffff;
        return (((half * power(index % PER_HALF)) & 0xffff) * 3) >>> 16;
    }

    /** The word with the trit at an index replaced. */
    static int set(int word, int index, int trit) {
        int shift = index / PER_HALF * 16;
        int half = (word >>> shift) & 0xffff;
        int number = (half * NUMBERS) >>> 16;
        number += (trit - get(word, index)) * power(PER_HALF - 1 - index % PER_HALF);
        int changed = Math.toIntExact(Math.ceilDiv((long) number << 16, (long) NUMBERS));
        return (word & ~(0xffff << shift)) | (changed << shift);
    }

    /** 3^exponent, exponent below 10. */
    static int power(int exponent) {
        int power = 1;
        for (int i = 0; i < exponent; i++) {
            power *= 3;
        }
        return power;
    }
}
