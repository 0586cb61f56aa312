package dev.kvasir.cache.method.gear;

import dev.kvasir.cache.kernel.Element;
import dev.kvasir.cache.method.gear.Backbone.Sharing;
import java.util.Arrays;
import java.util.Comparator;
import java.util.stream.IntStream;

/** The first two steps of GEAR as the paper has them, element by element and by sorting: what is taken out, and D. */
final class PlainGear {
    private final float[][] x;
    private final int headDim;
    /** What D stands for, {@code [token][channel of all heads]}. */
    final float[][] restored;

    final boolean[][] outlier;

    /** Compresses rows {@code [token][channel of all heads]}; outliers are those of a channel (keys) or a token (values). */
    PlainGear(float[][] x, int headDim, boolean key, Sharing sharing, int group, int bits, double sparsity) {
        this.x = x;
        this.headDim = headDim;
        outlier = new boolean[x.length][x[0].length];
        restored = new float[x.length][x[0].length];
        float[][] filled = Arrays.stream(x).map(float[]::clone).toArray(float[][]::new);
        int vectors = key ? x[0].length : x.length;
        int length = key ? x.length : x[0].length;
        int extremes = (int) Math.round(Math.floor(Math.round(length * sparsity * 1e6) / 2e6));
        for (int v = 0; v < vectors; v++) {
            takeOut(key, v, length, extremes, filled);
        }
        quantize(filled, sharing, group, bits);
    }

    private void takeOut(boolean key, int vector, int length, int extremes, float[][] filled) {
        double sum = 0;
        for (int i = 0; i < length; i++) {
            sum += key ? x[i][vector] : x[vector][i];
        }
        float mean = (float) (sum / length);
        Comparator<Integer> byValue = Comparator.comparingDouble(i -> key ? x[i][vector] : x[vector][i]);
        int[] up = IntStream.range(0, length)
                .boxed()
                .sorted(byValue)
                .mapToInt(i -> i)
                .toArray();
        int[] down = IntStream.range(0, length)
                .boxed()
                .sorted(byValue.reversed())
                .mapToInt(i -> i)
                .toArray();
        int taken = 0;
        for (int i = 0; i < extremes; i++) {
            mark(key, vector, up[i], mean, filled);
        }
        for (int i = 0; taken < extremes; i++) {
            boolean free = !(key ? outlier[down[i]][vector] : outlier[vector][down[i]]);
            if (free) {
                mark(key, vector, down[i], mean, filled);
                taken++;
            }
        }
    }

    private void mark(boolean key, int vector, int place, float mean, float[][] filled) {
        int token = key ? place : vector;
        int channel = key ? vector : place;
        outlier[token][channel] = true;
        filled[token][channel] = mean;
    }

    private void quantize(float[][] filled, Sharing sharing, int group, int bits) {
        int tokens = x.length;
        int width = x[0].length;
        int tokenSpan = switch (sharing) {
            case CHANNEL_CHUNK -> tokens;
            case CHANNEL_GROUP -> group;
            case TOKEN_LAYER, TOKEN_GROUP -> 1;
        };
        int channelSpan = switch (sharing) {
            case CHANNEL_CHUNK, CHANNEL_GROUP -> 1;
            case TOKEN_LAYER -> width;
            case TOKEN_GROUP -> group;
        };
        for (int t = 0; t < tokens; t += tokenSpan) {
            for (int c = 0; c < width; c += channelSpan) {
                quantizeGroup(filled, t, tokenSpan, c, channelSpan, bits);
            }
        }
    }

    private void quantizeGroup(float[][] filled, int token, int tokens, int channel, int channels, int bits) {
        float min = Float.POSITIVE_INFINITY;
        float max = Float.NEGATIVE_INFINITY;
        for (int t = token; t < token + tokens; t++) {
            for (int c = channel; c < channel + channels; c++) {
                min = Math.min(min, filled[t][c]);
                max = Math.max(max, filled[t][c]);
            }
        }
        int most = (1 << bits) - 1;
        float step = Element.F16.round((max - min) / most);
        float zero = Element.F16.round(min);
        for (int t = token; t < token + tokens; t++) {
            for (int c = channel; c < channel + channels; c++) {
                double code = step == 0 ? 0 : Math.clamp(Math.rint((double) ((filled[t][c] - zero) / step)), 0, most);
                restored[t][c] = step * (float) code + zero;
            }
        }
    }

    /** What D left over, zero at outliers. */
    float[][] residual() {
        float[][] residual = new float[x.length][x[0].length];
        for (int t = 0; t < x.length; t++) {
            for (int c = 0; c < x[0].length; c++) {
                residual[t][c] = outlier[t][c] ? 0 : x[t][c] - restored[t][c];
            }
        }
        return residual;
    }

    /** The residual's part of one head, squared and summed. */
    double energy(int kvHead) {
        double sum = 0;
        for (float[] row : residual()) {
            for (int c = kvHead * headDim; c < (kvHead + 1) * headDim; c++) {
                sum += (double) row[c] * row[c];
            }
        }
        return sum;
    }
}
