package dev.kvasir.cache;

/**
 * Bytes a cache holds, counted from its allocated pages.
 *
 * @param codes packed codes, or the elements themselves in an exact store
 * @param scales scales, zeros and other parameters of groups
 * @param windows residual windows and other exact remainders, full capacity
 * @param indices positions, outlier indices and the like
 * @param codebooks codebooks and other tables held per sequence
 */
public record Footprint(long codes, long scales, long windows, long indices, long codebooks) {
    /** Nothing. */
    public static final Footprint ZERO = new Footprint(0, 0, 0, 0, 0);

    /** All bytes. */
    public long total() {
        return codes + scales + windows + indices + codebooks;
    }

    /** Sum of two footprints, kind by kind. */
    public Footprint plus(Footprint other) {
        return new Footprint(
                codes + other.codes,
                scales + other.scales,
                windows + other.windows,
                indices + other.indices,
                codebooks + other.codebooks);
    }

    /** Bits for each of the {@code tokens * 2 * layers * kvHeads * headDim} elements of K and V. */
    public double bitsPerElement(CacheShape shape, int tokens) {
        return total() * 8.0 / (2.0 * tokens * shape.layers() * shape.kvHeads() * shape.headDim());
    }
}
