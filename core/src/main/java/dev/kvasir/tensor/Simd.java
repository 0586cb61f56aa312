package dev.kvasir.tensor;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorShuffle;
import jdk.incubator.vector.VectorSpecies;

/**
 * What the Vector API kernels share: the species, a sum over lanes and an exponential.
 *
 * <p>Both functions are built from lane-wise operations, whose results Java defines to the bit. The API's own {@code
 * reduceLanes} and {@code EXP} may differ between interpreted and compiled code, and equal inputs must give equal
 * logits.
 */
final class Simd {
    /** The widest floats this machine has. */
    static final VectorSpecies<Float> F = FloatVector.SPECIES_PREFERRED;

    /** Ints of the same width. */
    static final VectorSpecies<Integer> I = IntVector.SPECIES_PREFERRED;

    /** Lanes of {@link #F}: 4, 8 or 16 on the machines there are. */
    static final int LANES = F.length();

    private static final VectorShuffle<Float> SWAP_8 = swap(8);
    private static final VectorShuffle<Float> SWAP_4 = swap(4);
    private static final VectorShuffle<Float> SWAP_2 = swap(2);
    private static final VectorShuffle<Float> SWAP_1 = swap(1);

    private static final VectorMask<Float> ODD = lanesWithBit(1);
    private static final VectorMask<Float> ODD_PAIRS = lanesWithBit(2);

    // exp(x) = 2^n exp(r), n = round(x / ln 2), |r| <= ln 2 / 2; ln 2 in two pieces, the first short enough that n
    // times it is exact.
    private static final float LOG2_E = 1.442695f;
    private static final float LN2_HIGH = 355f / 512;
    private static final float LN2_LOW = -2.1219444e-4f;
    // Adding it leaves the rounded integer in the low bits of the significand.
    private static final float ROUND = 0x1.8p23f;

    private Simd() {}

    private static VectorShuffle<Float> swap(int distance) {
        return VectorShuffle.fromOp(F, lane -> (lane ^ distance) % LANES);
    }

    private static VectorMask<Float> lanesWithBit(int bit) {
        boolean[] lanes = new boolean[LANES];
        for (int i = 0; i < LANES; i++) {
            lanes[i] = (i & bit) != 0;
        }
        return VectorMask.fromArray(F, lanes, 0);
    }

    /** Sum of all lanes, by halves. */
    static float sum(FloatVector v) {
        FloatVector s = v;
        if (LANES > 16) {
            return sumOfWide(v);
        }
        if (LANES == 16) {
            s = s.add(s.rearrange(SWAP_8));
        }
        if (LANES >= 8) {
            s = s.add(s.rearrange(SWAP_4));
        }
        if (LANES >= 4) {
            s = s.add(s.rearrange(SWAP_2));
        }
        return s.add(s.rearrange(SWAP_1)).lane(0);
    }

    private static float sumOfWide(FloatVector v) {
        float sum = 0;
        for (float lane : v.toArray()) {
            sum += lane;
        }
        return sum;
    }

    /**
     * The sums of four vectors in lanes 0 to 3 of the result, at half the price of four {@link #sum}s: two vectors are
     * folded into one, each keeping every other lane, until one is left.
     */
    static FloatVector sums(FloatVector a, FloatVector b, FloatVector c, FloatVector d) {
        if (LANES < 4 || LANES > 16) {
            return FloatVector.fromArray(F, new float[] {sum(a), sum(b), sum(c), sum(d)}, 0, F.indexInRange(0, 4));
        }
        FloatVector s = fold(fold(a, b, ODD, SWAP_1), fold(c, d, ODD, SWAP_1), ODD_PAIRS, SWAP_2);
        if (LANES >= 8) {
            s = s.add(s.rearrange(SWAP_4));
        }
        if (LANES == 16) {
            s = s.add(s.rearrange(SWAP_8));
        }
        return s;
    }

    private static FloatVector fold(FloatVector a, FloatVector b, VectorMask<Float> ofB, VectorShuffle<Float> swap) {
        return a.blend(b, ofB).add(b.blend(a, ofB).rearrange(swap));
    }

    /** The exponential within 2 units in the last place; inputs are clamped to about -87 to 88, where floats end. */
    static FloatVector exp(FloatVector x) {
        FloatVector clamped = x.max(-87.3f).min(88.3f);
        FloatVector shifted = clamped.mul(LOG2_E).add(ROUND);
        FloatVector n = shifted.sub(ROUND);
        FloatVector r = n.mul(-LN2_HIGH).add(clamped);
        r = n.mul(-LN2_LOW).add(r);
        // Taylor to degree 7: the next term is below 6e-9 of the result.
        FloatVector p = FloatVector.broadcast(F, 1 / 5040f);
        p = p.fma(r, FloatVector.broadcast(F, 1 / 720f));
        p = p.fma(r, FloatVector.broadcast(F, 1 / 120f));
        p = p.fma(r, FloatVector.broadcast(F, 1 / 24f));
        p = p.fma(r, FloatVector.broadcast(F, 1 / 6f));
        p = p.fma(r, FloatVector.broadcast(F, 0.5f));
        p = p.fma(r, FloatVector.broadcast(F, 1));
        p = p.fma(r, FloatVector.broadcast(F, 1));
        IntVector exponent =
                shifted.reinterpretAsInts().sub(Float.floatToRawIntBits(ROUND)).lanewise(VectorOperators.LSHL, 23);
        return p.reinterpretAsInts().add(exponent).reinterpretAsFloats();
    }
}
