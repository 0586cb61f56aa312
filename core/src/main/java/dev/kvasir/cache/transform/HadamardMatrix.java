package dev.kvasir.cache.transform;

import java.math.BigInteger;
import java.util.Arrays;
import java.util.Optional;

/** Hadamard matrices by Paley's two constructions over prime fields (1933), doubled by Sylvester's. */
final class HadamardMatrix {
    private HadamardMatrix() {}

    /** An orthonormal one, {@code [order][order]}, if it can be made: {@code order = base * 2^k} with the smallest base. */
    static Optional<float[]> of(int order) {
        for (int base = Math.max(1, order / Integer.lowestOneBit(order)); base <= order; base *= 2) {
            Optional<int[]> signs = paley(base);
            if (signs.isPresent()) {
                return Optional.of(doubled(signs.get(), base, order));
            }
        }
        return Optional.empty();
    }

    private static float[] doubled(int[] signs, int base, int order) {
        int sylvester = order / base;
        float norm = (float) (1 / Math.sqrt(order));
        float[] matrix = new float[order * order];
        for (int i = 0; i < order; i++) {
            for (int j = 0; j < order; j++) {
                int parity = Integer.bitCount(i % sylvester & j % sylvester) & 1;
                int sign = signs[i / sylvester * base + j / sylvester];
                matrix[i * order + j] = parity == 0 ? sign * norm : -sign * norm;
            }
        }
        return matrix;
    }

    private static Optional<int[]> paley(int order) {
        if (order == 1) {
            return Optional.of(new int[] {1});
        }
        if (order % 4 != 0) {
            return Optional.empty();
        }
        if (isPrime(order - 1)) {
            return Optional.of(first(order - 1));
        }
        int q = order / 2 - 1;
        return q % 4 == 1 && isPrime(q) ? Optional.of(second(q)) : Optional.empty();
    }

    private static boolean isPrime(int n) {
        return BigInteger.valueOf(n).isProbablePrime(50);
    }

    /** {@code q = 3 mod 4}: one plus the skew matrix of quadratic residues, bordered. */
    private static int[] first(int q) {
        int order = q + 1;
        int[] matrix = bordered(q, -1);
        for (int i = 0; i < order; i++) {
            matrix[i * order + i] += 1;
        }
        return matrix;
    }

    /** {@code q = 1 mod 4}: each entry of the symmetric bordered matrix becomes a block of two by two. */
    private static int[] second(int q) {
        int half = q + 1;
        int order = 2 * half;
        int[] residues = bordered(q, 1);
        int[] matrix = new int[order * order];
        for (int i = 0; i < half; i++) {
            for (int j = 0; j < half; j++) {
                int c = residues[i * half + j];
                int one = i == j ? 1 : 0;
                int at = 2 * i * order + 2 * j;
                matrix[at] = c + one;
                matrix[at + 1] = c - one;
                matrix[at + order] = c - one;
                matrix[at + order + 1] = -c - one;
            }
        }
        return matrix;
    }

    /** Entry {@code (i, j)} is 1 if {@code i - j} is a square modulo {@code q}, else -1, 0 on the diagonal; a border of ones. */
    private static int[] bordered(int q, int leftBorder) {
        int[] character = new int[q];
        Arrays.fill(character, -1);
        for (int i = 1; i < q; i++) {
            character[(int) ((long) i * i % q)] = 1;
        }
        character[0] = 0;
        int order = q + 1;
        int[] matrix = new int[order * order];
        for (int i = 1; i < order; i++) {
            matrix[i] = 1;
            matrix[i * order] = leftBorder;
            for (int j = 1; j < order; j++) {
                matrix[i * order + j] = character[Math.floorMod(i - j, q)];
            }
        }
        return matrix;
    }
}
