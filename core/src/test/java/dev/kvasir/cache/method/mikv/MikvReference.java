package dev.kvasir.cache.method.mikv;

import dev.kvasir.cache.CacheShape;
import dev.kvasir.cache.Steps;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;

/** MiKV of one layer by plain loops, written from the paper's description: dequantize, then attend. */
final class MikvReference {
    final double ratio;
    final int bits;
    final int importanceBits;
    final int group;
    final boolean balanced;

    private final CacheShape shape;
    private final Steps steps;
    private final float[][] b;
    private final List<List<Token>> heads = new ArrayList<>();
    private int length;

    /** A token as one head remembers it. */
    private static final class Token {
        int position;
        boolean important = true;
        float[] key;
        float[] value;
        double score;

        Token(int position, float[] key, float[] value) {
            this.position = position;
            this.key = key;
            this.value = value;
        }
    }

    MikvReference(
            CacheShape shape, Steps steps, double ratio, int bits, int importanceBits, int group, boolean balanced) {
        this.shape = shape;
        this.steps = steps;
        this.ratio = ratio;
        this.bits = bits;
        this.importanceBits = importanceBits;
        this.group = group;
        this.balanced = balanced;
        b = new float[shape.kvHeads()][shape.headDim()];
        for (int h = 0; h < shape.kvHeads(); h++) {
            java.util.Arrays.fill(b[h], 1f);
            heads.add(new ArrayList<>());
        }
    }

    /** Positions of the important (or the other) tokens of a head, ascending. */
    List<Integer> positions(int kvHead, boolean important) {
        return heads.get(kvHead).stream()
                .filter(token -> token.important == important)
                .map(token -> token.position)
                .sorted()
                .toList();
    }

    /** The outputs of the next step, {@code [count][heads][headDim]}. */
    float[] feed(int count) {
        float[] keys = steps.states(0, length, count).keys();
        float[] values = steps.states(0, length, count).values();
        float[] queries = steps.queries(0, length, count).queries();
        float[] out = new float[count * shape.heads() * shape.headDim()];
        for (int h = 0; h < shape.kvHeads(); h++) {
            List<Token> own = new ArrayList<>();
            for (int t = 0; t < count; t++) {
                own.add(new Token(length + t, row(keys, shape.kvHeads(), t, h), row(values, shape.kvHeads(), t, h)));
            }
            attend(h, own, queries, out);
            if (balanced && length == 0 && count > 1) {
                balance(h, own, queries);
            }
            admit(h, own);
        }
        length += count;
        return out;
    }

    private float[] row(float[] rows, int width, int token, int head) {
        int d = shape.headDim();
        return java.util.Arrays.copyOfRange(rows, (token * width + head) * d, (token * width + head + 1) * d);
    }

    private void attend(int kvHead, List<Token> own, float[] queries, float[] out) {
        int g = shape.queriesPerKvHead();
        int d = shape.headDim();
        for (int t = 0; t < own.size(); t++) {
            List<Token> seen = new ArrayList<>(heads.get(kvHead));
            seen.addAll(own.subList(0, t + 1));
            for (int i = 0; i < g; i++) {
                float[] q = row(queries, shape.heads(), t, kvHead * g + i);
                double[] weights = new double[seen.size()];
                double sum = 0;
                for (int j = 0; j < weights.length; j++) {
                    double score = 0;
                    for (int c = 0; c < d; c++) {
                        score += (double) q[c] * seen.get(j).key[c];
                    }
                    weights[j] = Math.exp(score / Math.sqrt(d));
                    sum += weights[j];
                }
                int at = (t * shape.heads() + kvHead * g + i) * d;
                for (int c = 0; c < d; c++) {
                    double value = 0;
                    for (int j = 0; j < weights.length; j++) {
                        value += weights[j] / sum * seen.get(j).value[c];
                    }
                    out[at + c] = (float) value;
                }
                for (int j = 0; j < weights.length; j++) {
                    seen.get(j).score += weights[j] / sum;
                }
            }
        }
    }

    private void balance(int kvHead, List<Token> own, float[] queries) {
        int g = shape.queriesPerKvHead();
        for (int c = 0; c < shape.headDim(); c++) {
            double key = 0;
            double query = 0;
            for (int t = 0; t < own.size(); t++) {
                key = Math.max(key, Math.abs(own.get(t).key[c]));
                for (int i = 0; i < g; i++) {
                    query = Math.max(query, Math.abs(row(queries, shape.heads(), t, kvHead * g + i)[c]));
                }
            }
            b[kvHead][c] = key == 0 || query == 0 ? 1 : (float) Math.sqrt(query / key);
        }
    }

    private void admit(int kvHead, List<Token> own) {
        List<Token> tokens = heads.get(kvHead);
        tokens.addAll(own);
        int total = length + own.size();
        int high = (int) Math.floor(ratio * total + 1e-9);
        int recent = high / 2;
        List<Token> leaving = tokens.stream()
                .filter(token -> token.important && token.position < total - recent)
                .sorted(Comparator.comparingDouble((Token token) -> token.score)
                        .thenComparingInt(token -> token.position))
                .limit(tokens.stream().filter(token -> token.important).count() - high)
                .toList();
        for (Token token : leaving) {
            token.important = false;
            if (bits > 0) {
                boolean stored = !own.contains(token);
                store(kvHead, token, stored && importanceBits == 16 ? 16 : 0);
                store(kvHead, token, bits);
            }
        }
        if (bits == 0) {
            tokens.removeAll(leaving);
        }
        for (Token token : own) {
            if (token.important) {
                store(kvHead, token, importanceBits);
            }
        }
    }

    /** Rounds a token to what a tier of that many bits keeps of it; 0 keeps all. */
    private void store(int kvHead, Token token, int to) {
        if (to == 16) {
            for (int c = 0; c < token.key.length; c++) {
                token.key[c] = f16(token.key[c]);
                token.value[c] = f16(token.value[c]);
            }
        } else if (to > 0) {
            float[] key = token.key.clone();
            for (int c = 0; c < key.length; c++) {
                key[c] *= b[kvHead][c];
            }
            quantize(key, to);
            for (int c = 0; c < key.length; c++) {
                token.key[c] = key[c] / b[kvHead][c];
            }
            quantize(token.value, to);
        }
    }

    private void quantize(float[] row, int to) {
        int most = (1 << to) - 1;
        for (int from = 0; from < row.length; from += group) {
            float min = Float.POSITIVE_INFINITY;
            float max = Float.NEGATIVE_INFINITY;
            for (int c = from; c < from + group; c++) {
                min = Math.min(min, row[c]);
                max = Math.max(max, row[c]);
            }
            float alpha = f16((max - min) / most);
            float beta = f16(min);
            for (int c = from; c < from + group; c++) {
                double code = alpha == 0 ? 0 : Math.rint((row[c] - beta) / alpha);
                row[c] = (float) (alpha * Math.clamp(code, 0.0, most) + beta);
            }
        }
    }

    private static float f16(float x) {
        return Float.float16ToFloat(Float.floatToFloat16(x));
    }
}
