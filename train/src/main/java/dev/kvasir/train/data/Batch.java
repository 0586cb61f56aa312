package dev.kvasir.train.data;

import java.util.List;

/**
 * Rows of one step, laid out for the net.
 *
 * @param inputs {@code [rows][length]}
 * @param targets ids of the predictions that count, {@code [predictions]}
 * @param indices where each sits in {@code [rows * length]}
 * @param weights what each counts, summing to 1
 */
public record Batch(int rows, int length, long[] inputs, long[] targets, long[] indices, float[] weights) {
    /** Lays out rows of one length. */
    public static Batch of(List<Row> rows) {
        int length = rows.getFirst().ids().length - 1;
        long[] inputs = new long[rows.size() * length];
        int counted = 0;
        double total = 0;
        for (Row row : rows) {
            for (int i = 1; i <= length; i++) {
                if (row.weights()[i] > 0) {
                    counted++;
                    total += row.weights()[i];
                }
            }
        }
        long[] targets = new long[counted];
        long[] indices = new long[counted];
        float[] weights = new float[counted];
        int n = 0;
        for (int r = 0; r < rows.size(); r++) {
            Row row = rows.get(r);
            for (int i = 0; i < length; i++) {
                inputs[r * length + i] = row.ids()[i];
                if (row.weights()[i + 1] > 0) {
                    targets[n] = row.ids()[i + 1];
                    indices[n] = (long) r * length + i;
                    weights[n++] = (float) (row.weights()[i + 1] / total);
                }
            }
        }
        return new Batch(rows.size(), length, inputs, targets, indices, weights);
    }
}
