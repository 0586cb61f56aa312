package dev.kvasir.cache.method.gear;

import dev.kvasir.InvalidInputException;
import dev.kvasir.cache.Footprint;
import dev.kvasir.cache.correction.Csr;
import dev.kvasir.cache.correction.LowRank;
import dev.kvasir.cache.kernel.PackedLayout;

/**
 * Where the parts of a chunk are in its two pages.
 *
 * <pre>
 *   keys   = D of head 0 | D of head 1 | ... | L of head 0 | ... | S of head 0 | ...
 *   values = D of all heads                  | L of head 0 | ... | S of all heads
 * </pre>
 *
 * <p>D is the backbone's page, L the factors of rank {@code rank}, S the outliers: of a key channel the extremes over the
 * chunk's tokens, of a value token those over all heads' channels. A part without content takes no bytes.
 */
final class ChunkShape {
    final int tokens;
    final int rank;
    final int kvHeads;
    final PackedLayout keyCodes;
    final PackedLayout valueCodes;
    final LowRank lowRank;
    /** Outliers at either end of a key channel, and of a value token. */
    final int keyExtremes;

    final int valueExtremes;
    /** Of one head. */
    final Csr keyOutliers;
    /** Of all heads. */
    final Csr valueOutliers;

    ChunkShape(GearPlan plan, int tokens, int rank) {
        if ((long) tokens * plan.width() > Integer.MAX_VALUE) {
            throw new InvalidInputException("gear: a chunk of " + tokens + " tokens of " + plan.width()
                    + " channels is too large, allowed: " + Integer.MAX_VALUE / plan.width() + " tokens");
        }
        this.tokens = tokens;
        this.rank = rank;
        kvHeads = plan.kvHeads;
        keyCodes = plan.keys.keys(tokens, plan.headDim);
        valueCodes = plan.values.values(tokens, plan.width());
        lowRank = new LowRank(tokens, plan.headDim, rank);
        keyExtremes = extremes(plan.sparsity, tokens);
        valueExtremes = extremes(plan.sparsity, plan.width());
        keyOutliers = new Csr(tokens, 1, plan.headDim, 2 * keyExtremes * plan.headDim);
        valueOutliers = new Csr(tokens, kvHeads, plan.headDim, 2 * valueExtremes * tokens);
    }

    /** Half of the share {@code sparsity} of {@code length} numbers, rounded down. */
    private static int extremes(double sparsity, int length) {
        // A product that should be whole must not fall below it: 100 * 0.02 / 2.
        return (int) Math.floor(length * sparsity / 2 + 1e-9);
    }

    int headDim() {
        return lowRank.width();
    }

    private static long bytes(Csr outliers) {
        return outliers.entries() == 0 ? 0 : outliers.bytes();
    }

    long keyBytes() {
        return keyOutliersAt(kvHeads);
    }

    long valueBytes() {
        return valueOutliersAt() + bytes(valueOutliers);
    }

    long keyCodesAt(int kvHead) {
        return kvHead * keyCodes.bytes();
    }

    long keyLowRankAt(int kvHead) {
        return keyCodesAt(kvHeads) + kvHead * lowRank.bytes();
    }

    long keyOutliersAt(int kvHead) {
        return keyLowRankAt(kvHeads) + kvHead * bytes(keyOutliers);
    }

    long valueLowRankAt(int kvHead) {
        return valueCodes.bytes() + kvHead * lowRank.bytes();
    }

    long valueOutliersAt() {
        return valueLowRankAt(kvHeads);
    }

    /** Bytes of both pages: codes; scales, zeros and factors; outliers with their places. */
    Footprint footprint() {
        return new Footprint(
                kvHeads * keyCodes.codeBytes() + valueCodes.codeBytes(),
                kvHeads * keyCodes.scaleBytes() + valueCodes.scaleBytes() + 2L * kvHeads * lowRank.bytes(),
                0,
                kvHeads * bytes(keyOutliers) + bytes(valueOutliers),
                0);
    }
}
