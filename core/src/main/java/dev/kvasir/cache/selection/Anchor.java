package dev.kvasir.cache.selection;

/** The one pattern of bits that all signatures are measured from (KVCrush, arXiv 2503.00022). */
public enum Anchor {
    /** Fair bits of a seed. */
    RANDOM,
    /** No bit. */
    ZEROS,
    /** All bits. */
    ONES,
    /** Every other bit, from the second on. */
    ALTERNATING,
    /** The bits that more than half of the signatures have. */
    MEAN,
    /** The bits that fewer than half of the signatures have. */
    INV_MEAN;

    /** Whether the pattern is the same for all signatures of a form. */
    public boolean isFixed() {
        return this != MEAN && this != INV_MEAN;
    }

    /** The pattern for these signatures. */
    public long[] pattern(Signatures signatures, long seed) {
        int rows = signatures.rows();
        return switch (this) {
            case RANDOM -> signatures.pattern(bit -> (mixed(seed * 0x1_0000_0001L + bit) & 1) != 0);
            case ZEROS -> signatures.pattern(bit -> false);
            case ONES -> signatures.pattern(bit -> true);
            case ALTERNATING -> signatures.pattern(bit -> bit % 2 == 1);
            case MEAN -> {
                int[] counts = signatures.counts();
                yield signatures.pattern(bit -> 2L * counts[bit] > rows);
            }
            case INV_MEAN -> {
                int[] counts = signatures.counts();
                yield signatures.pattern(bit -> 2L * counts[bit] < rows);
            }
        };
    }

    /** SplitMix64: the same on every machine. */
    private static long mixed(long number) {
        long z = (number + 1) * 0x9E3779B97F4A7C15L;
        z = (z ^ z >>> 30) * 0xBF58476D1CE4E5B9L;
        z = (z ^ z >>> 27) * 0x94D049BB133111EBL;
        return z ^ z >>> 31;
    }
}
