package dev.kvasir.cache.method.zipcache;

import dev.kvasir.cache.CacheShape;
import dev.kvasir.cache.Steps;
import dev.kvasir.cache.segment.Segment;
import dev.kvasir.cache.segment.SegmentSet;
import dev.kvasir.cache.store.Scratch;

/** Reads a layer element by element, as its layouts define it and without any kernel's help. */
final class ZipContents {
    private ZipContents() {}

    /** Keys, then values, {@code [2][tokens][headDim]}, of one head by position. */
    static float[][][] rows(ZipLayer layer, CacheShape shape, int kvHead) {
        int d = shape.headDim();
        float[][][] all = new float[2][layer.size()][d];
        Scratch scratch = new Scratch();
        int at = 0;
        for (Segment segment : layer.segments()) {
            float[] factors = segment.factors();
            float[] row = new float[shape.kvHeads() * d];
            int high = 0;
            for (int t = 0; t < segment.tokens(); t++) {
                boolean isHigh = segment.isHigh(kvHead, t);
                SegmentSet set = (isHigh ? segment.high() : segment.low()).orElseThrow();
                int slot = isHigh ? high++ : t - high;
                set.keyStore(kvHead).row(slot, all[0][at + t], 0, scratch);
                set.valueStore().row(slot, row, 0, scratch);
                for (int c = 0; c < d; c++) {
                    float factor = factors.length == 0 ? 1 : factors[kvHead * d + c];
                    all[1][at + t][c] = row[kvHead * d + c] * factor;
                }
            }
            at += segment.tokens();
        }
        for (int t = 0; t < layer.tail().size(); t++) {
            layer.tail().keys(kvHead).row(t, all[0][at + t], 0, scratch);
            layer.tail().values(kvHead).row(t, all[1][at + t], 0, scratch);
        }
        return all;
    }

    /** Relative squared error of the keys and values of the first {@code tokens} tokens. */
    static double error(ZipLayer layer, CacheShape shape, Steps steps, int tokens) {
        double error = 0;
        double norm = 0;
        float[][] exact = {
            steps.states(0, 0, tokens).keys(), steps.states(0, 0, tokens).values()
        };
        for (int h = 0; h < shape.kvHeads(); h++) {
            float[][][] rows = rows(layer, shape, h);
            for (int side = 0; side < 2; side++) {
                for (int t = 0; t < tokens; t++) {
                    for (int c = 0; c < shape.headDim(); c++) {
                        float x = exact[side][(t * shape.kvHeads() + h) * shape.headDim() + c];
                        error += (rows[side][t][c] - x) * (double) (rows[side][t][c] - x);
                        norm += (double) x * x;
                    }
                }
            }
        }
        return error / norm;
    }

    /** The outputs of the next token by plain loops. */
    static float[] attend(ZipLayer layer, CacheShape shape, Steps steps, int length) {
        int d = shape.headDim();
        int g = shape.queriesPerKvHead();
        float[] q = steps.queries(0, length, 1).queries();
        float[] ownKey = steps.states(0, length, 1).keys();
        float[] ownValue = steps.states(0, length, 1).values();
        float[] out = new float[shape.heads() * d];
        for (int head = 0; head < shape.heads(); head++) {
            int h = head / g;
            float[][][] rows = rows(layer, shape, h);
            double[] sums = new double[d];
            double total = 0;
            for (int t = 0; t <= length; t++) {
                double score = 0;
                for (int c = 0; c < d; c++) {
                    score += (double) q[head * d + c] * (t < length ? rows[0][t][c] : ownKey[h * d + c]);
                }
                double weight = Math.exp(score / Math.sqrt(d));
                total += weight;
                for (int c = 0; c < d; c++) {
                    sums[c] += weight * (t < length ? rows[1][t][c] : ownValue[h * d + c]);
                }
            }
            for (int c = 0; c < d; c++) {
                out[head * d + c] = (float) (sums[c] / total);
            }
        }
        return out;
    }
}
