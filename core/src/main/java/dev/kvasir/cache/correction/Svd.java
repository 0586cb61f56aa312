package dev.kvasir.cache.correction;

import static dev.kvasir.tensor.DoubleLoops.add;
import static dev.kvasir.tensor.DoubleLoops.dot;
import static dev.kvasir.tensor.DoubleLoops.turn;

import dev.kvasir.InvalidInputException;
import java.util.Arrays;

/**
 * The thin singular value decomposition {@code A = U diag(s) V^t} of a matrix, in float64. Equal matrices give equal bits;
 * {@code U} and {@code V} are orthonormal to rounding even where {@code A} has no full rank.
 *
 * <p>Source: one-sided Jacobi rotations on the transposed triangle of a pivoted Householder QR (Drmac and Veselic, "New
 * fast and accurate Jacobi SVD algorithm", SIAM J. Matrix Anal. Appl. 29, 2008), without their case distinctions.
 *
 * @param rows of {@code A}
 * @param columns of {@code A}
 * @param u {@code [rank][rows]}: one left vector after the other
 * @param s {@code [rank]}, falling
 * @param v {@code [rank][columns]}: one right vector after the other
 */
public record Svd(int rows, int columns, double[] u, double[] s, double[] v) {
    /** Two columns are orthogonal when their product is below this share of their lengths. */
    private static final double ORTHOGONAL = 1e-15;
    /** Sweeps after which rounding is all that still turns; six or seven are usual. */
    private static final int SWEEPS = 40;

    /**
     * Decomposes {@code a[rows][columns]}.
     *
     * @throws InvalidInputException if a number in it is not finite
     */
    public static Svd of(float[] a, int rows, int columns) {
        double[] wide = new double[rows * columns];
        for (int i = 0; i < wide.length; i++) {
            wide[i] = a[i];
        }
        return of(wide, rows, columns);
    }

    /** As {@link #of(float[], int, int)}. */
    public static Svd of(double[] a, int rows, int columns) {
        if (rows < 1 || columns < 1 || (long) rows * columns > a.length) {
            throw new IllegalArgumentException("[" + rows + "][" + columns + "] of " + a.length + " numbers");
        }
        for (int i = 0; i < rows * columns; i++) {
            if (!Double.isFinite(a[i])) {
                throw new InvalidInputException("a matrix to decompose holds " + a[i] + " in row " + i / columns
                        + ", column " + i % columns + "; all its numbers must be finite");
            }
        }
        // The columns of a tall matrix are those of A, of a wide one its rows.
        boolean tall = rows >= columns;
        int length = tall ? rows : columns;
        int count = tall ? columns : rows;
        double[] vectors = new double[rows * columns];
        for (int i = 0; i < rows; i++) {
            for (int j = 0; j < columns; j++) {
                vectors[tall ? j * rows + i : i * columns + j] = a[i * columns + j];
            }
        }
        Reflections qr = Reflections.of(vectors, length, count);
        Rotated turned = Rotated.of(qr.lower(), count);
        double[] left = qr.times(turned.right());
        double[] right = qr.unpivoted(turned.left());
        return tall
                ? new Svd(rows, columns, left, turned.values(), right)
                : new Svd(rows, columns, right, turned.values(), left);
    }

    /** Number of singular values: the smaller side. */
    public int rank() {
        return s.length;
    }

    /** The largest difference of {@code Q^t Q} from the identity, of {@code q[count][length]}, one vector after the other. */
    public static double skewness(double[] q, int count, int length) {
        double worst = 0;
        for (int i = 0; i < count; i++) {
            for (int j = 0; j <= i; j++) {
                double wanted = i == j ? 1 : 0;
                worst = Math.max(worst, Math.abs(dot(q, i * length, q, j * length, length) - wanted));
            }
        }
        return worst;
    }

    /**
     * {@code A P = Q R} by Householder reflections with the longest remaining column first.
     *
     * @param a {@code [count][length]}: in each column {@code R} above the diagonal and a reflection's vector from it on
     * @param diagonal of {@code R}
     * @param pivots the column of {@code A} that each column was
     */
    private record Reflections(double[] a, int length, int count, double[] diagonal, int[] pivots) {
        static Reflections of(double[] a, int length, int count) {
            Reflections qr = new Reflections(a, length, count, new double[count], new int[count]);
            Arrays.setAll(qr.pivots, i -> i);
            for (int k = 0; k < count; k++) {
                qr.bringLongest(k);
                qr.reflect(k);
            }
            return qr;
        }

        private void bringLongest(int k) {
            int longest = k;
            double best = -1;
            for (int j = k; j < count; j++) {
                double norm = dot(a, j * length + k, a, j * length + k, length - k);
                if (norm > best) {
                    best = norm;
                    longest = j;
                }
            }
            if (longest != k) {
                for (int i = 0; i < length; i++) {
                    double kept = a[k * length + i];
                    a[k * length + i] = a[longest * length + i];
                    a[longest * length + i] = kept;
                }
                int kept = pivots[k];
                pivots[k] = pivots[longest];
                pivots[longest] = kept;
            }
        }

        /** Replaces the rest of column k by a vector of length sqrt(2) whose reflection brings it to the axis. */
        private void reflect(int k) {
            int at = k * length + k;
            int rest = length - k;
            double norm = Math.sqrt(dot(a, at, a, at, rest));
            if (norm == 0) {
                return;
            }
            double sign = a[at] < 0 ? -1 : 1;
            diagonal[k] = -sign * norm;
            double first = a[at] + sign * norm;
            double scale = 1 / Math.sqrt(norm * Math.abs(first));
            a[at] = first;
            for (int i = 0; i < rest; i++) {
                a[at + i] *= scale;
            }
            for (int j = k + 1; j < count; j++) {
                int other = j * length + k;
                add(a, other, -dot(a, at, a, other, rest), a, at, rest);
            }
        }

        /** {@code R^t} as columns: {@code [column i][row j] = R[i][j]}. */
        double[] lower() {
            double[] lower = new double[count * count];
            for (int i = 0; i < count; i++) {
                lower[i * count + i] = diagonal[i];
                for (int j = i + 1; j < count; j++) {
                    lower[i * count + j] = a[j * length + i];
                }
            }
            return lower;
        }

        /** {@code Q w} for each column of {@code w[count][count]}. */
        double[] times(double[] w) {
            double[] out = new double[count * length];
            for (int j = 0; j < count; j++) {
                System.arraycopy(w, j * count, out, j * length, count);
                for (int k = count - 1; k >= 0; k--) {
                    if (diagonal[k] != 0) {
                        int from = j * length + k;
                        int at = k * length + k;
                        add(out, from, -dot(a, at, out, from, length - k), a, at, length - k);
                    }
                }
            }
            return out;
        }

        /** {@code P w} for each column of {@code w[count][count]}. */
        double[] unpivoted(double[] w) {
            double[] out = new double[count * count];
            for (int j = 0; j < count; j++) {
                for (int i = 0; i < count; i++) {
                    out[j * count + pivots[i]] = w[j * count + i];
                }
            }
            return out;
        }
    }

    /** {@code X = left diag(values) right^t} of a square matrix, vectors one after the other, values falling. */
    private record Rotated(double[] left, double[] values, double[] right) {
        /** By rotating pairs of columns of {@code x[column][row]} until all are orthogonal. */
        static Rotated of(double[] x, int n) {
            double[] turns = new double[n * n];
            for (int i = 0; i < n; i++) {
                turns[i * n + i] = 1;
            }
            double[] squares = new double[n];
            boolean turned = true;
            for (int sweep = 0; sweep < SWEEPS && turned; sweep++) {
                for (int j = 0; j < n; j++) {
                    squares[j] = dot(x, j * n, x, j * n, n);
                }
                turned = false;
                for (int p = 0; p < n - 1; p++) {
                    for (int q = p + 1; q < n; q++) {
                        turned |= rotate(x, turns, squares, n, p, q);
                    }
                }
            }
            return sorted(x, turns, n);
        }

        private static boolean rotate(double[] x, double[] turns, double[] squares, int n, int p, int q) {
            double product = dot(x, p * n, x, q * n, n);
            if (Math.abs(product) <= ORTHOGONAL * Math.sqrt(squares[p] * squares[q])) {
                return false;
            }
            double zeta = (squares[q] - squares[p]) / (2 * product);
            double tangent = (zeta < 0 ? -1 : 1) / (Math.abs(zeta) + Math.hypot(1, zeta));
            double cosine = 1 / Math.sqrt(1 + tangent * tangent);
            double sine = cosine * tangent;
            turn(x, p * n, q * n, n, cosine, sine);
            turn(turns, p * n, q * n, n, cosine, sine);
            squares[p] = Math.max(0, squares[p] - tangent * product);
            squares[q] = Math.max(0, squares[q] + tangent * product);
            return true;
        }

        private static Rotated sorted(double[] x, double[] turns, int n) {
            double[] lengths = new double[n];
            Integer[] order = new Integer[n];
            for (int j = 0; j < n; j++) {
                lengths[j] = Math.sqrt(dot(x, j * n, x, j * n, n));
                order[j] = j;
            }
            Arrays.sort(order, (a, b) -> Double.compare(lengths[b], lengths[a]));
            double[] left = new double[n * n];
            double[] values = new double[n];
            double[] right = new double[n * n];
            for (int j = 0; j < n; j++) {
                int from = order[j];
                System.arraycopy(turns, from * n, right, j * n, n);
                // Below this a column is rounding: its direction means nothing, and another is found for it.
                boolean real = lengths[from] > lengths[order[0]] * n * 0x1p-52;
                values[j] = lengths[from];
                if (real) {
                    for (int i = 0; i < n; i++) {
                        left[j * n + i] = x[from * n + i] / lengths[from];
                    }
                } else {
                    complete(left, j, n);
                }
            }
            return new Rotated(left, values, right);
        }

        /** Makes vector j one that is orthogonal to all before it, which are orthonormal. */
        private static void complete(double[] left, int j, int n) {
            for (int axis = 0; axis < n; axis++) {
                Arrays.fill(left, j * n, j * n + n, 0);
                left[j * n + axis] = 1;
                for (int pass = 0; pass < 2; pass++) {
                    for (int i = 0; i < j; i++) {
                        add(left, j * n, -dot(left, j * n, left, i * n, n), left, i * n, n);
                    }
                }
                double norm = Math.sqrt(dot(left, j * n, left, j * n, n));
                // Among n axes one at least keeps this much, whatever n - 1 directions are taken out.
                if (norm * norm >= 0.5 / n) {
                    for (int i = 0; i < n; i++) {
                        left[j * n + i] /= norm;
                    }
                    return;
                }
            }
        }
    }
}
