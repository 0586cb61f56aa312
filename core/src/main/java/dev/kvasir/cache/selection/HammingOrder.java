package dev.kvasir.cache.selection;

import java.util.Arrays;

/**
 * Orders by distance, equals as they came, and samples that order evenly: every distance gets a share as large as it is
 * frequent, and is sampled evenly within (KVCrush, arXiv 2503.00022). A counting sort: linear.
 */
public final class HammingOrder {
    private int[] starts = {};
    private int[] order = {};

    /**
     * Chooses {@code wanted} of the first {@code count} distances; all, if they are no more.
     *
     * @param largest no distance is above it
     * @param chosen gets the index of each that is chosen, in the order of distances
     * @return how many were chosen
     */
    public int sample(int[] distances, int count, int largest, int wanted, int[] chosen) {
        sort(distances, count, largest);
        int taken = Math.min(count, wanted);
        for (int j = 0; j < taken; j++) {
            int rank = count <= wanted ? j : wanted == 1 ? 0 : (int) ((long) j * (count - 1) / (wanted - 1));
            chosen[j] = order[rank];
        }
        return taken;
    }

    private void sort(int[] distances, int count, int largest) {
        if (starts.length < largest + 2) {
            starts = new int[largest + 2];
        }
        if (order.length < count) {
            order = new int[count + count / 4];
        }
        Arrays.fill(starts, 0, largest + 2, 0);
        for (int i = 0; i < count; i++) {
            starts[distances[i] + 1]++;
        }
        for (int d = 0; d <= largest; d++) {
            starts[d + 1] += starts[d];
        }
        for (int i = 0; i < count; i++) {
            order[starts[distances[i]]++] = i;
        }
    }
}
