package dev.kvasir.cache;

/**
 * Bytes a cache holds, counted from its allocated pages.
 *
 * @param codes packed codes, or the elements themselves in an exact store
 * @param scales scales, zeros and other parameters of groups
 * @param windows residual windows and other exact remainders, full capacity
 * @param indices positions, outlier indices and the like
 * @param codebooks codebooks and other tables held per sequence
 * @param secondTier everything that a step reads only in parts and that may be in slower memory, or in a file
 */
public record Footprint(long codes, long scales, long windows, long indices, long codebooks, long secondTier) {
    /** Nothing. */
    public static final Footprint ZERO = new Footprint(0, 0, 0, 0, 0);

    /** Bytes of one tier. */
    public Footprint(long codes, long scales, long windows, long indices, long codebooks) {
        this(codes, scales, windows, indices, codebooks, 0);
    }

    /** All bytes, whichever tier they are in. */
    public long total() {
        return firstTier() + secondTier;
    }

    /** The bytes that are not in the second tier. */
    public long firstTier() {
        return codes + scales + windows + indices + codebooks;
    }

    /** All of it in the second tier. */
    public Footprint inSecondTier() {
        return new Footprint(0, 0, 0, 0, 0, total());
    }

    /** Sum of two footprints, kind by kind. */
    public Footprint plus(Footprint other) {
        return new Footprint(
                codes + other.codes,
                scales + other.scales,
                windows + other.windows,
                indices + other.indices,
                codebooks + other.codebooks,
                secondTier + other.secondTier);
    }

    /** Bits for each of the {@code tokens * 2 * layers * kvHeads * headDim} elements of K and V, both tiers together. */
    public double bitsPerElement(CacheShape shape, int tokens) {
        return total() * 8.0 / (2.0 * tokens * shape.layers() * shape.kvHeads() * shape.headDim());
    }

    /** As {@link #bitsPerElement}, of the first tier alone. */
    public double firstTierBitsPerElement(CacheShape shape, int tokens) {
        return firstTier() * 8.0 / (2.0 * tokens * shape.layers() * shape.kvHeads() * shape.headDim());
    }
}
