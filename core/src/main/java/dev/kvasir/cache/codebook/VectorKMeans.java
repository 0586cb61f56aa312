package dev.kvasir.cache.codebook;

import dev.kvasir.cache.kernel.Kernels;
import java.util.Arrays;
import java.util.Random;

/**
 * Vectors that stand for others at the least mean square distance: k-means (Lloyd 1982) from k-means++ (Arthur and
 * Vassilvitskii 2007). A cluster that loses all its points begins again at the point that is farthest from its centre.
 *
 * @param centres {@code [clusters][dimensions]}
 * @param objectives sum of square distances after every assignment, in doubles from the points themselves; never increasing
 * @param sizes points of each cluster at the last assignment
 */
public record VectorKMeans(float[][] centres, double[] objectives, int[] sizes) {
    private static final int LANES = Kernels.PANEL;

    /**
     * When to stop.
     *
     * @param rounds of Lloyd at most
     * @param tolerance of the Frobenius norm of all centres' shifts, below which a round is the last
     */
    public record Limits(int rounds, double tolerance) {}

    /**
     * Fits {@code clusters} centres; equal points and seeds give equal centres.
     *
     * @param points {@code [count][dimensions]}, row after row
     * @throws IllegalArgumentException if there are fewer points than clusters, or no clusters
     */
    public static VectorKMeans fit(
            float[] points, int count, int dimensions, int clusters, Limits limits, long seed, Kernels kernels) {
        if (clusters < 1 || count < clusters) {
            throw new IllegalArgumentException(clusters + " clusters of " + count + " points");
        }
        return new Fit(points, count, dimensions, clusters, kernels).run(limits, new Random(seed));
    }

    private static final class Fit {
        private final float[] points;
        private final int count;
        private final int dimensions;
        private final int clusters;
        private final Kernels kernels;
        /** The points in panels {@code [dimensions][32]}. */
        private final float[] panels;

        private final float[] centres;
        private final float[] halfNorms;
        private final float[] products;
        private final int[] nearest;
        private final double[] distances;
        private final int[] sizes;

        Fit(float[] points, int count, int dimensions, int clusters, Kernels kernels) {
            this.points = points;
            this.count = count;
            this.dimensions = dimensions;
            this.clusters = clusters;
            this.kernels = kernels;
            panels = new float[Math.ceilDiv(count, LANES) * LANES * dimensions];
            for (int i = 0; i < count; i++) {
                for (int d = 0; d < dimensions; d++) {
                    panels[(i / LANES * dimensions + d) * LANES + i % LANES] = points[i * dimensions + d];
                }
            }
            centres = new float[clusters * dimensions];
            halfNorms = new float[clusters];
            products = new float[clusters * LANES];
            nearest = new int[count];
            distances = new double[count];
            sizes = new int[clusters];
        }

        VectorKMeans run(Limits limits, Random random) {
            draw(random);
            double[] objectives = new double[limits.rounds() + 1];
            objectives[0] = assign();
            int round = 0;
            while (round < limits.rounds()) {
                float[] before = centres.clone();
                int[] nearestBefore = nearest.clone();
                int[] sizesBefore = sizes.clone();
                move();
                double objective = assign();
                if (objective > objectives[round]) {
                    // Only rounding can do that: nothing is left to gain.
                    System.arraycopy(before, 0, centres, 0, before.length);
                    System.arraycopy(nearestBefore, 0, nearest, 0, count);
                    System.arraycopy(sizesBefore, 0, sizes, 0, clusters);
                    break;
                }
                objectives[++round] = objective;
                if (shift(before) < limits.tolerance()) {
                    break;
                }
            }
            float[][] rows = new float[clusters][];
            for (int c = 0; c < clusters; c++) {
                rows[c] = Arrays.copyOfRange(centres, c * dimensions, (c + 1) * dimensions);
            }
            return new VectorKMeans(rows, Arrays.copyOf(objectives, round + 1), sizes.clone());
        }

        /** The first centre is any point, each following one a point drawn with the chance of its square distance to those before. */
        private void draw(Random random) {
            Arrays.fill(distances, Double.POSITIVE_INFINITY);
            int point = random.nextInt(count);
            for (int c = 0; c < clusters; c++) {
                System.arraycopy(points, point * dimensions, centres, c * dimensions, dimensions);
                double sum = 0;
                for (int i = 0; i < count; i++) {
                    distances[i] = Math.min(distances[i], distance(i, c));
                    sum += distances[i];
                }
                point = drawn(random.nextDouble() * sum);
            }
        }

        private int drawn(double at) {
            double left = at;
            for (int i = 0; i < count; i++) {
                left -= distances[i];
                if (left < 0) {
                    return i;
                }
            }
            return count - 1;
        }

        private double distance(int point, int centre) {
            double sum = 0;
            for (int d = 0; d < dimensions; d++) {
                double difference = points[point * dimensions + d] - (double) centres[centre * dimensions + d];
                sum += difference * difference;
            }
            return sum;
        }

        /** Finds each point's nearest centre and fills clusters that are left empty; returns the sum of square distances. */
        private double assign() {
            for (int c = 0; c < clusters; c++) {
                int at = c * dimensions;
                halfNorms[c] = kernels.dot(centres, at, centres, at, dimensions) / 2;
            }
            Arrays.fill(sizes, 0);
            for (int panel = 0; panel * LANES < count; panel++) {
                kernels.dots(
                        centres,
                        0,
                        dimensions,
                        clusters,
                        panels,
                        panel * LANES * dimensions,
                        dimensions,
                        products,
                        0,
                        LANES);
                for (int lane = 0; lane < Math.min(LANES, count - panel * LANES); lane++) {
                    int best = 0;
                    float most = Float.NEGATIVE_INFINITY;
                    for (int c = 0; c < clusters; c++) {
                        float closeness = products[c * LANES + lane] - halfNorms[c];
                        if (closeness > most) {
                            most = closeness;
                            best = c;
                        }
                    }
                    nearest[panel * LANES + lane] = best;
                    sizes[best]++;
                }
            }
            double objective = 0;
            for (int i = 0; i < count; i++) {
                distances[i] = distance(i, nearest[i]);
                objective += distances[i];
            }
            for (int c = 0; c < clusters; c++) {
                if (sizes[c] == 0) {
                    objective -= reseed(c);
                }
            }
            return objective;
        }

        /** Gives an empty cluster the farthest point of those that are not alone; returns what that saves. */
        private double reseed(int cluster) {
            int farthest = -1;
            for (int i = 0; i < count; i++) {
                if (sizes[nearest[i]] > 1 && (farthest < 0 || distances[i] > distances[farthest])) {
                    farthest = i;
                }
            }
            sizes[nearest[farthest]]--;
            sizes[cluster] = 1;
            nearest[farthest] = cluster;
            System.arraycopy(points, farthest * dimensions, centres, cluster * dimensions, dimensions);
            double saved = distances[farthest];
            distances[farthest] = 0;
            return saved;
        }

        /** Brings each centre to the mean of its points. */
        private void move() {
            double[] sums = new double[clusters * dimensions];
            for (int i = 0; i < count; i++) {
                int at = nearest[i] * dimensions;
                for (int d = 0; d < dimensions; d++) {
                    sums[at + d] += points[i * dimensions + d];
                }
            }
            for (int c = 0; c < clusters; c++) {
                for (int d = 0; d < dimensions; d++) {
                    centres[c * dimensions + d] = (float) (sums[c * dimensions + d] / sizes[c]);
                }
            }
        }

        private double shift(float[] before) {
            double sum = 0;
            for (int i = 0; i < centres.length; i++) {
                sum += (centres[i] - (double) before[i]) * (centres[i] - (double) before[i]);
            }
            return Math.sqrt(sum);
        }
    }
}
