package dev.kvasir.tensor;

import static dev.kvasir.tensor.Simd.F;
import static dev.kvasir.tensor.Simd.LANES;

import jdk.incubator.vector.FloatVector;

/** What a decoder layer does between its products: RMSNorm, rotary embedding, gated units, soft caps and the residual sum. */
public final class Activations {
    private static final float GELU_SLOPE = (float) Math.sqrt(2 / Math.PI);
    private static final float GELU_CUBE = 0.044715f;

    private Activations() {}

    private static FloatVector load(float[] a, int at) {
        return FloatVector.fromArray(F, a, at);
    }

    /**
     * RMSNorm of one token: {@code out[i] = x[i] / sqrt(mean(x^2) + epsilon) * weight[i]} (Zhang and Sennrich 2019).
     *
     * @param weight its length is the number of channels
     */
    public static void rmsNorm(float[] x, int x0, float[] weight, float epsilon, float[] out, int out0) {
        int n = weight.length;
        int bound = F.loopBound(n);
        FloatVector squares = FloatVector.zero(F);
        for (int i = 0; i < bound; i += LANES) {
            FloatVector v = load(x, x0 + i);
            squares = v.fma(v, squares);
        }
        float sum = Simd.sum(squares);
        for (int i = bound; i < n; i++) {
            sum += x[x0 + i] * x[x0 + i];
        }
        float scale = (float) (1 / Math.sqrt((double) sum / n + epsilon));
        for (int i = 0; i < bound; i += LANES) {
            load(x, x0 + i).mul(scale).mul(load(weight, i)).intoArray(out, out0 + i);
        }
        for (int i = bound; i < n; i++) {
            out[out0 + i] = x[x0 + i] * scale * weight[i];
        }
    }

    /** SwiGLU in place: {@code gate[i] = silu(gate[i]) * up[i]}, {@code silu(x) = x / (1 + exp(-x))} (Shazeer 2020). */
    public static void swiGlu(float[] gate, float[] up, int from, int to) {
        int i = from;
        for (; i <= to - LANES; i += LANES) {
            swiGlu(load(gate, i), load(up, i)).intoArray(gate, i);
        }
        if (i < to) {
            var rest = F.indexInRange(i, to);
            FloatVector g = FloatVector.fromArray(F, gate, i, rest);
            FloatVector u = FloatVector.fromArray(F, up, i, rest);
            swiGlu(g, u).intoArray(gate, i, rest);
        }
    }

    /** SiLU in place: {@code x[i] = x[i] / (1 + exp(-x[i]))}. */
    public static void silu(float[] x, int from, int to) {
        FloatVector one = FloatVector.broadcast(F, 1);
        int i = from;
        for (; i <= to - LANES; i += LANES) {
            swiGlu(load(x, i), one).intoArray(x, i);
        }
        if (i < to) {
            var rest = F.indexInRange(i, to);
            swiGlu(FloatVector.fromArray(F, x, i, rest), one).intoArray(x, i, rest);
        }
    }

    private static FloatVector swiGlu(FloatVector gate, FloatVector up) {
        return gate.div(Simd.exp(gate.neg()).add(1)).mul(up);
    }

    /**
     * GeGLU in place: {@code gate[i] = gelu(gate[i]) * up[i]} with the tanh form of GELU, {@code gelu(x) = x / 2 * (1 + tanh(
     * sqrt(2 / pi) * (x + 0.044715 x^3)))} (Hendrycks and Gimpel 2016), which is {@code x} times a sigmoid.
     */
    public static void geGlu(float[] gate, float[] up, int from, int to) {
        int i = from;
        for (; i <= to - LANES; i += LANES) {
            geGlu(load(gate, i), load(up, i)).intoArray(gate, i);
        }
        if (i < to) {
            var rest = F.indexInRange(i, to);
            FloatVector g = FloatVector.fromArray(F, gate, i, rest);
            FloatVector u = FloatVector.fromArray(F, up, i, rest);
            geGlu(g, u).intoArray(gate, i, rest);
        }
    }

    /** {@code (1 + tanh(y)) / 2} is the sigmoid of {@code 2y}. */
    private static FloatVector geGlu(FloatVector x, FloatVector up) {
        FloatVector twice = x.mul(x).mul(GELU_CUBE).add(1).mul(x).mul(2 * GELU_SLOPE);
        return x.div(Simd.exp(twice.neg()).add(1)).mul(up);
    }

    /** A soft cap in place: {@code x[i] = cap * tanh(x[i] / cap)} (Gemma 2, arXiv 2408.00118, section 2). */
    public static void cap(float[] x, int from, int to, float cap) {
        int i = from;
        for (; i <= to - LANES; i += LANES) {
            cap(load(x, i), cap).intoArray(x, i);
        }
        if (i < to) {
            var rest = F.indexInRange(i, to);
            cap(FloatVector.fromArray(F, x, i, rest), cap).intoArray(x, i, rest);
        }
    }

    /** {@code tanh(y) = 1 - 2 / (exp(2y) + 1)}; near 0 the difference loses digits, but nothing that scores or logits show. */
    private static FloatVector cap(FloatVector x, float cap) {
        FloatVector twice = x.mul(2 / cap);
        return FloatVector.broadcast(F, 1)
                .sub(FloatVector.broadcast(F, 2).div(Simd.exp(twice).add(1)))
                .mul(cap);
    }

    /** The residual sum: {@code x[i] += y[i]}. */
    public static void add(float[] x, float[] y, int from, int to) {
        for (int i = from; i < to; i++) {
            x[i] += y[i];
        }
    }

    /**
     * Rotary embedding of one head (Su et al. 2021) in the half-split order of Hugging Face's Llama: channel {@code i}
     * of the first half and channel {@code i} of the second are turned by the same angle.
     *
     * @param half half of the head's channels
     * @param angles0 where the position's cosines and sines begin
     */
    public static void rotate(
            float[] x, int x0, int half, float[] cosines, float[] sines, int angles0, float[] out, int out0) {
        int bound = F.loopBound(half);
        for (int i = 0; i < bound; i += LANES) {
            FloatVector a = load(x, x0 + i);
            FloatVector b = load(x, x0 + half + i);
            FloatVector cosine = load(cosines, angles0 + i);
            FloatVector sine = load(sines, angles0 + i);
            a.mul(cosine).sub(b.mul(sine)).intoArray(out, out0 + i);
            b.mul(cosine).add(a.mul(sine)).intoArray(out, out0 + half + i);
        }
        for (int i = bound; i < half; i++) {
            float a = x[x0 + i];
            float b = x[x0 + half + i];
            float cosine = cosines[angles0 + i];
            float sine = sines[angles0 + i];
            out[out0 + i] = a * cosine - b * sine;
            out[out0 + half + i] = b * cosine + a * sine;
        }
    }
}
