package dev.kvasir.tensor;

import jdk.incubator.vector.DoubleVector;
import jdk.incubator.vector.VectorSpecies;

/** Loops over rows of float64, for decompositions of weights. Four lanes on every machine, so that all give the same bits. */
public final class DoubleLoops {
    private static final VectorSpecies<Double> D = DoubleVector.SPECIES_256;
    private static final int LANES = D.length();

    private DoubleLoops() {}

    /** The inner product of {@code count} numbers. */
    public static double dot(double[] x, int xOffset, double[] y, int yOffset, int count) {
        DoubleVector a = DoubleVector.zero(D);
        DoubleVector b = a;
        int i = 0;
        for (; i <= count - 2 * LANES; i += 2 * LANES) {
            a = DoubleVector.fromArray(D, x, xOffset + i).fma(DoubleVector.fromArray(D, y, yOffset + i), a);
            b = DoubleVector.fromArray(D, x, xOffset + i + LANES)
                    .fma(DoubleVector.fromArray(D, y, yOffset + i + LANES), b);
        }
        DoubleVector sums = a.add(b);
        double sum = sums.lane(0) + sums.lane(1) + (sums.lane(2) + sums.lane(3));
        for (; i < count; i++) {
            sum = Math.fma(x[xOffset + i], y[yOffset + i], sum);
        }
        return sum;
    }

    /** {@code to += factor * from}, {@code count} numbers of different rows. */
    public static void add(double[] to, int toOffset, double factor, double[] from, int fromOffset, int count) {
        DoubleVector all = DoubleVector.broadcast(D, factor);
        int i = 0;
        for (; i <= count - LANES; i += LANES) {
            DoubleVector.fromArray(D, from, fromOffset + i)
                    .fma(all, DoubleVector.fromArray(D, to, toOffset + i))
                    .intoArray(to, toOffset + i);
        }
        for (; i < count; i++) {
            to[toOffset + i] = Math.fma(factor, from[fromOffset + i], to[toOffset + i]);
        }
    }

    /** Turns two rows of {@code count} numbers: {@code p' = cosine p - sine q}, {@code q' = sine p + cosine q}. */
    public static void turn(double[] x, int p, int q, int count, double cosine, double sine) {
        DoubleVector c = DoubleVector.broadcast(D, cosine);
        DoubleVector s = DoubleVector.broadcast(D, sine);
        int i = 0;
        for (; i <= count - LANES; i += LANES) {
            DoubleVector a = DoubleVector.fromArray(D, x, p + i);
            DoubleVector b = DoubleVector.fromArray(D, x, q + i);
            a.mul(c).sub(b.mul(s)).intoArray(x, p + i);
            a.mul(s).add(b.mul(c)).intoArray(x, q + i);
        }
        for (; i < count; i++) {
            double a = x[p + i];
            double b = x[q + i];
            x[p + i] = a * cosine - b * sine;
            x[q + i] = a * sine + b * cosine;
        }
    }
}
