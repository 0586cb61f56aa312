package dev.kvasir.cache.codebook;

import java.util.Arrays;

/**
 * Atoms cut into runs of the smallest total square error. The best last cut moves right as the end does, so that each
 * number of runs costs {@code n log n} (Wang and Song, Ckmeans.1d.dp, 2011; divide and conquer).
 */
final class Partition {
    private final Atoms atoms;
    private final int runs;
    /** {@code cuts[r][end]}: where the last of {@code r + 1} runs over the first {@code end} atoms begins. */
    private final int[][] cuts;

    private double[] before;
    private double[] errors;

    Partition(Atoms atoms, int runs) {
        this.atoms = atoms;
        this.runs = Math.min(runs, atoms.count());
        int n = atoms.count();
        cuts = new int[this.runs][n + 1];
        before = new double[n + 1];
        errors = new double[n + 1];
        for (int end = 1; end <= n; end++) {
            errors[end] = atoms.error(0, end);
        }
        for (int run = 1; run < this.runs; run++) {
            double[] swap = before;
            before = errors;
            errors = swap;
            Arrays.fill(errors, Double.POSITIVE_INFINITY);
            solve(cuts[run], run + 1, n, run, n - 1);
        }
    }

    /** The best cuts for ends {@code low .. high}, known to lie in {@code first .. last}. */
    private void solve(int[] cut, int low, int high, int first, int last) {
        if (low > high) {
            return;
        }
        int end = (low + high) >>> 1;
        for (int at = first; at <= Math.min(last, end - 1); at++) {
            double error = before[at] + atoms.error(at, end);
            if (error < errors[end]) {
                errors[end] = error;
                cut[end] = at;
            }
        }
        solve(cut, low, end - 1, first, cut[end]);
        solve(cut, end + 1, high, cut[end], last);
    }

    /** Means of the runs; where there are fewer atoms than levels wanted, the largest repeats. */
    double[] levels(int wanted) {
        double[] levels = new double[wanted];
        int end = atoms.count();
        for (int run = runs - 1; run >= 0; run--) {
            int from = cuts[run][end];
            levels[run] = atoms.sum(from, end) / atoms.weight(from, end);
            end = from;
        }
        Arrays.fill(levels, runs, wanted, levels[runs - 1]);
        return levels;
    }
}
