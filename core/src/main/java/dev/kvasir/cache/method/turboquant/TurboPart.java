package dev.kvasir.cache.method.turboquant;

import dev.kvasir.cache.codebook.Density;
import dev.kvasir.cache.codebook.LloydMax;
import dev.kvasir.cache.kernel.PackedLayout;
import dev.kvasir.cache.kernel.PackedLayout.Axis;
import dev.kvasir.cache.kernel.Quantizer;
import dev.kvasir.cache.kernel.ScaleFormat;
import dev.kvasir.cache.kernel.ZeroFormat;
import dev.kvasir.cache.transform.GaussianProjection;
import dev.kvasir.cache.transform.RandomHadamard;
import dev.kvasir.cache.transform.RandomRotation;
import dev.kvasir.cache.transform.Transform;
import java.util.Optional;

/**
 * Channels of a head that are quantized as one vector: their rotation, their codes, and the sketch of the residual.
 *
 * @param width channels
 * @param rotation of the vector
 * @param keys pages of key codes, lanes are tokens; the scale is the vector's length
 * @param values pages of value codes, lanes are channels
 * @param sketch projection of a key's residual and the pages of its signs, whose scale has the estimator's constant in it;
 *     empty where keys are not sketched
 */
record TurboPart(int width, Transform rotation, PackedLayout keys, PackedLayout values, Optional<Sketch> sketch) {
    static final int PAGE_TOKENS = 128;

    /**
     * The sign sketch of a residual (QJL, arXiv 2406.03482).
     *
     * @param projection random and independent of the rotation
     * @param signs pages of signs
     * @param constant what the residual's length is multiplied by, so that the estimate of an inner product is unbiased
     */
    record Sketch(Transform projection, PackedLayout signs, float constant) {}

    /** The settings that shape a part. */
    record Choice(int keyBits, int valueBits, boolean sketched, boolean dense, boolean gaussian, long seed) {}

    static TurboPart of(int width, Choice choice) {
        int codeBits = choice.sketched() ? choice.keyBits() - 1 : choice.keyBits();
        PackedLayout keys =
                new PackedLayout(PAGE_TOKENS, width, codeBits, width, Axis.PER_LANE, codes(width, codeBits));
        PackedLayout values = new PackedLayout(
                width, PAGE_TOKENS, choice.valueBits(), width, Axis.PER_DEPTH, codes(width, choice.valueBits()));
        Transform rotation =
                choice.dense() ? new RandomRotation(width, choice.seed()) : new RandomHadamard(width, choice.seed());
        return new TurboPart(
                width,
                rotation,
                keys,
                values,
                choice.sketched() ? Optional.of(sketch(width, choice)) : Optional.empty());
    }

    private static Quantizer codes(int width, int bits) {
        float[] levels = LloydMax.of(Density.sphere(width), bits).codebook().levels();
        return Quantizer.codebook(levels, levels, ScaleFormat.F16, ZeroFormat.NONE);
    }

    /**
     * With S of independent standard normals {@code E <S q, sign(S r)> = d sqrt(2 / pi) <q, r> / |r|}; with a random rotation
     * {@code d E|u| <q, r> / |r|}, u a coordinate of a random unit vector. The constant is the inverse of what stands before
     * the product.
     */
    private static Sketch sketch(int width, Choice choice) {
        float[] signs = {-1, 1};
        PackedLayout layout = new PackedLayout(
                PAGE_TOKENS,
                width,
                1,
                width,
                Axis.PER_LANE,
                Quantizer.codebook(signs, signs, ScaleFormat.F16, ZeroFormat.NONE));
        long seed = choice.seed() + 1;
        if (choice.gaussian()) {
            return new Sketch(new GaussianProjection(width, seed), layout, (float) (Math.sqrt(Math.PI / 2) / width));
        }
        return new Sketch(new RandomRotation(width, seed), layout, (float) (1 / (width * meanCoordinate(width))));
    }

    /** The mean magnitude of a coordinate of a random unit vector: {@code Gamma(d/2) / (sqrt(pi) Gamma((d+1)/2))}. */
    static double meanCoordinate(int width) {
        // The ratio of Gammas by its recursion in steps of two from d = 1 or 2.
        double mean = width % 2 == 0 ? 2 / Math.PI : 1;
        for (int d = width % 2 == 0 ? 2 : 1; d < width; d += 2) {
            mean *= (double) d / (d + 1);
        }
        return mean;
    }
}
