package dev.kvasir.cache.transform;

import java.util.Arrays;

/**
 * Two vectors told as one direction that both share and a length for each: {@code a ~ lengthA e}, {@code c ~ lengthC e} with
 * {@code |e| = 1}.
 *
 * <p>Source: MiniCache, arXiv 2405.14366, section 4.1: the direction is the spherical interpolation {@code e = (sin((1 - t) w)
 * a/|a| + sin(t w) c/|c|) / sin w}, {@code w} the angle between the two, so that the errors are {@code 2 |a| sin(t w / 2)} and
 * {@code 2 |c| sin((1 - t) w / 2)}; and the two ways of merging that its ablation measures it against.
 *
 * @param merge how the direction and the lengths are made
 * @param t how far the direction is towards the second vector, 0 to 1; only for {@link Merge#SLERP}
 */
public record SharedDirection(Merge merge, double t) {
    /** Angles below which the interpolation is a straight line, radians: sines of smaller ones would cancel. */
    private static final double SMALL = 1e-3;

    /** Angles this close to pi, radians, have no direction between them that means anything. */
    private static final double OPPOSED = 1e-3;

    /** How two vectors become one. */
    public enum Merge {
        /** Spherical interpolation with both lengths. */
        SLERP,
        /** The arithmetic mean stands for both. */
        MEAN,
        /** The mean direction, with the larger length, stands for both; the ablation's "max norm" as we read it. */
        MAX_NORM
    }

    /** Checks the ranges. */
    public SharedDirection {
        if (!(t >= 0 && t <= 1)) {
            throw new IllegalArgumentException("interpolation at " + t);
        }
    }

    /** Whether vectors at this angle, in radians, oppose each other, so that nothing can stand for both. */
    public static boolean opposed(double angle) {
        return !(angle < Math.PI - OPPOSED);
    }

    /**
     * Merges two vectors of {@code width} channels.
     *
     * @param e receives the direction, of length 1; that of {@code c} where the two are {@linkplain #opposed opposed}, any
     *     where both are zero
     * @param lengths receives the length of the first vector, then that of the second
     * @return the angle between the two in radians, 0 where one is zero, pi where there is none because of what is not a number
     */
    public double merge(
            float[] a, int aOffset, float[] c, int cOffset, int width, float[] e, int eOffset, float[] lengths) {
        double aa = 0;
        double cc = 0;
        double ac = 0;
        for (int i = 0; i < width; i++) {
            double x = a[aOffset + i];
            double y = c[cOffset + i];
            aa += x * x;
            cc += y * y;
            ac += x * y;
        }
        double lengthA = Math.sqrt(aa);
        double lengthC = Math.sqrt(cc);
        lengths[0] = (float) lengthA;
        lengths[1] = (float) lengthC;
        if (lengthA == 0 || lengthC == 0) {
            lone(a, aOffset, lengthA, c, cOffset, lengthC, width, e, eOffset);
            shareLength(lengths, (lengthA + lengthC) / 2);
            return 0;
        }
        double angle = Math.acos(Math.clamp(ac / (lengthA * lengthC), -1.0, 1.0));
        if (opposed(angle)) {
            combine(a, aOffset, 0, c, cOffset, 1 / lengthC, width, e, eOffset);
            shareLength(lengths, Math.abs(lengthA - lengthC) / 2);
            return Double.isNaN(angle) ? Math.PI : angle;
        }
        switch (merge) {
            case SLERP -> {
                double sine = Math.sin(angle);
                double p = angle < SMALL ? 1 - t : Math.sin((1 - t) * angle) / sine;
                double q = angle < SMALL ? t : Math.sin(t * angle) / sine;
                combine(a, aOffset, p / lengthA, c, cOffset, q / lengthC, width, e, eOffset);
            }
            case MEAN -> shareLength(lengths, combine(a, aOffset, 0.5, c, cOffset, 0.5, width, e, eOffset));
            case MAX_NORM -> {
                combine(a, aOffset, 0.5 / lengthA, c, cOffset, 0.5 / lengthC, width, e, eOffset);
                shareLength(lengths, 0);
            }
        }
        return angle;
    }

    /** {@code e = (p a + q c) / |p a + q c|}; returns the divisor. */
    private static double combine(
            float[] a, int aOffset, double p, float[] c, int cOffset, double q, int width, float[] e, int eOffset) {
        double sum = 0;
        for (int i = 0; i < width; i++) {
            double x = p * a[aOffset + i] + q * c[cOffset + i];
            sum += x * x;
        }
        double length = Math.sqrt(sum);
        double inverse = length == 0 ? 0 : 1 / length;
        for (int i = 0; i < width; i++) {
            e[eOffset + i] = (float) ((p * a[aOffset + i] + q * c[cOffset + i]) * inverse);
        }
        return length;
    }

    /** The direction of the one that is not zero. */
    private static void lone(
            float[] a,
            int aOffset,
            double lengthA,
            float[] c,
            int cOffset,
            double lengthC,
            int width,
            float[] e,
            int eOffset) {
        if (lengthA == 0 && lengthC == 0) {
            Arrays.fill(e, eOffset, eOffset + width, (float) (1 / Math.sqrt(width)));
        } else {
            combine(
                    a,
                    aOffset,
                    lengthA == 0 ? 0 : 1 / lengthA,
                    c,
                    cOffset,
                    lengthC == 0 ? 0 : 1 / lengthC,
                    width,
                    e,
                    eOffset);
        }
    }

    /** Where one length stands for both: the mean's, or the larger one. */
    private void shareLength(float[] lengths, double mean) {
        if (merge != Merge.SLERP) {
            float shared = merge == Merge.MEAN ? (float) mean : Math.max(lengths[0], lengths[1]);
            lengths[0] = shared;
            lengths[1] = shared;
        }
    }
}
