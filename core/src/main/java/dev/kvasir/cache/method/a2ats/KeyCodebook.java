package dev.kvasir.cache.method.a2ats;

import dev.kvasir.cache.kernel.Kernels;
import dev.kvasir.cache.store.Scratch;

/**
 * The code vectors of one KV head: which of them stands for a key before RoPE, and what a query scores on each. The first is
 * decided in the queries' metric, {@code z = k L}; the second is told in the keys' own space, {@code c = z L^-1}.
 *
 * <p>Products run over the channels in order, whatever the number of rows: a key's code does not depend on what it came with.
 *
 * <pre>
 *   panel = channel 0: 64 codes | channel 1: 64 codes | ...      (the last one has what is left of the codes)
 * </pre>
 */
final class KeyCodebook {
    private static final int PANEL = 64;
    /** Keys whose codes are sought at once. */
    private static final int KEYS = 8;

    private final Kernels kernels;
    private final int codes;
    private final int headDim;
    /** {@code L}, {@code [headDim][headDim]}. */
    private final float[] metric;
    /** Code vectors in the metric's space, in panels. */
    private final float[] forKeys;
    /** Code vectors in the keys' space, in panels. */
    private final float[] forQueries;
    /** Half the square length of each code vector in the metric's space, negative. */
    private final float[] minusHalfNorms;

    /** Code vectors {@code [codes][headDim]} in the space of {@code metric}, from {@code offset} on. */
    KeyCodebook(Kernels kernels, QueryMetric metric, float[] vectors, int offset, int codes) {
        this.kernels = kernels;
        this.codes = codes;
        this.headDim = metric.dimensions();
        this.metric = new float[headDim * headDim];
        for (int i = 0; i < headDim; i++) {
            for (int j = 0; j <= i; j++) {
                this.metric[i * headDim + j] = (float) metric.lower()[i][j];
            }
        }
        forKeys = new float[codes * headDim];
        forQueries = new float[codes * headDim];
        minusHalfNorms = new float[codes];
        for (int c = 0; c < codes; c++) {
            int at = offset + c * headDim;
            double[] key = metric.invert(vectors, at);
            double norm = 0;
            for (int j = 0; j < headDim; j++) {
                forKeys[place(c, j)] = vectors[at + j];
                forQueries[place(c, j)] = (float) key[j];
                norm += vectors[at + j] * (double) vectors[at + j];
            }
            minusHalfNorms[c] = (float) (-norm / 2);
        }
    }

    private int place(int code, int channel) {
        int first = code / PANEL * PANEL;
        return first * headDim + channel * width(first) + code - first;
    }

    /** Codes of the panel that begins with {@code code}. */
    private int width(int code) {
        return Math.min(PANEL, codes - code);
    }

    int codes() {
        return codes;
    }

    /** Bytes of the code vectors that queries are scored on. */
    long bytes() {
        return (long) codes * headDim * Float.BYTES;
    }

    /** The code vector of a code in the keys' space. */
    float[] vector(int code) {
        float[] vector = new float[headDim];
        for (int j = 0; j < headDim; j++) {
            vector[j] = forQueries[place(code, j)];
        }
        return vector;
    }

    /** Scores of all codes for {@code rows} queries: {@code out[rows][codes]}. */
    void scores(float[] queries, int offset, int rows, float[] out) {
        java.util.Arrays.fill(out, 0, rows * codes, 0f);
        multiply(queries, offset, headDim, rows, forQueries, out, 0);
    }

    private void multiply(float[] x, int offset, int stride, int rows, float[] panels, float[] out, int outOffset) {
        for (int first = 0; first < codes; first += PANEL) {
            int width = width(first);
            kernels.sums(
                    x,
                    offset,
                    stride,
                    rows,
                    panels,
                    first * headDim,
                    width,
                    headDim,
                    width,
                    out,
                    outOffset + first,
                    codes);
        }
    }

    /** Takes the codes of keys one after the other. */
    @FunctionalInterface
    interface Sink {
        void take(int code);
    }

    /** Finds the codes of {@code count} keys before RoPE, {@code stride} numbers apart; of equally near ones the lowest. */
    void codes(float[] keys, int offset, int stride, int count, Scratch scratch, Sink sink) {
        float[] turned = scratch.lanes(KEYS * headDim);
        float[] closeness = scratch.tile(KEYS * codes);
        for (int done = 0; done < count; done += KEYS) {
            int run = Math.min(KEYS, count - done);
            java.util.Arrays.fill(turned, 0, run * headDim, 0f);
            kernels.sums(
                    keys,
                    offset + done * stride,
                    stride,
                    run,
                    metric,
                    0,
                    headDim,
                    headDim,
                    headDim,
                    turned,
                    0,
                    headDim);
            for (int r = 0; r < run; r++) {
                System.arraycopy(minusHalfNorms, 0, closeness, r * codes, codes);
            }
            multiply(turned, 0, headDim, run, forKeys, closeness, 0);
            for (int r = 0; r < run; r++) {
                sink.take(largest(closeness, r * codes));
            }
        }
    }

    private int largest(float[] numbers, int offset) {
        int best = 0;
        for (int c = 1; c < codes; c++) {
            if (numbers[offset + c] > numbers[offset + best]) {
                best = c;
            }
        }
        return best;
    }
}
