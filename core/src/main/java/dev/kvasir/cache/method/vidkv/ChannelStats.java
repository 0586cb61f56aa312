package dev.kvasir.cache.method.vidkv;

import java.util.Arrays;

/** What keys look like, channel by channel: by it the abnormal channels are chosen. */
final class ChannelStats {
    /** Deviations that make an outlier. */
    private static final double OUTLIER = 3;

    /** By what channels are compared. */
    enum Metric {
        /** Maximum less minimum. */
        RANGE(1),
        VARIANCE(1),
        /** Numbers more than three deviations of their channel from its mean. */
        OUTLIERS(2);

        private final int passes;

        Metric(int passes) {
            this.passes = passes;
        }

        /** How often all keys must be shown. */
        int passes() {
            return passes;
        }
    }

    private final Metric metric;
    private final double[] min;
    private final double[] max;
    private final double[] sum;
    private final double[] squares;
    private final double[] outliers;
    private long count;
    private int pass;

    ChannelStats(Metric metric, int channels) {
        this.metric = metric;
        min = new double[channels];
        max = new double[channels];
        sum = new double[channels];
        squares = new double[channels];
        outliers = new double[channels];
        Arrays.fill(min, Double.POSITIVE_INFINITY);
        Arrays.fill(max, Double.NEGATIVE_INFINITY);
    }

    /** Another look at the same keys begins; the first is pass 0. */
    void begin(int newPass) {
        pass = newPass;
    }

    /** Shows {@code tokens} keys {@code [token][channel]}. */
    void rows(float[] rows, int offset, int stride, int tokens) {
        for (int t = 0; t < tokens; t++) {
            for (int c = 0; c < min.length; c++) {
                add(c, rows[offset + t * stride + c]);
            }
        }
        count += pass == 0 ? tokens : 0;
    }

    /** Shows {@code tokens} keys {@code [channel][token]}. */
    void columns(float[] columns, int stride, int tokens) {
        for (int c = 0; c < min.length; c++) {
            for (int t = 0; t < tokens; t++) {
                add(c, columns[c * stride + t]);
            }
        }
        count += pass == 0 ? tokens : 0;
    }

    private void add(int c, double x) {
        if (pass == 0) {
            min[c] = Math.min(min[c], x);
            max[c] = Math.max(max[c], x);
            sum[c] += x;
            squares[c] += x * x;
        } else {
            outliers[c] += Math.abs(x - sum[c] / count) > OUTLIER * Math.sqrt(variance(c)) ? 1 : 0;
        }
    }

    private double variance(int c) {
        double mean = sum[c] / count;
        return squares[c] / count - mean * mean;
    }

    /** How abnormal each channel is. */
    double[] scores() {
        double[] scores = new double[min.length];
        for (int c = 0; c < scores.length; c++) {
            scores[c] = switch (metric) {
                case RANGE -> max[c] - min[c];
                case VARIANCE -> variance(c);
                case OUTLIERS -> outliers[c];
            };
        }
        return scores;
    }
}
