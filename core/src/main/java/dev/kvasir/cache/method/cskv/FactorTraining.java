package dev.kvasir.cache.method.cskv;

import dev.kvasir.cache.kernel.Kernels;
import dev.kvasir.cache.store.Panels;
import dev.kvasir.cache.store.Scratch;
import java.util.Arrays;
import java.util.Optional;

/**
 * Training of one projection's factors on batches of inputs and what the projection itself makes of them: the mean squared
 * error of {@code Q(X A) B}, its gradients in closed form, steps by AdamW without weight decay (CSKV, arXiv 2409.10593, section
 * 2.2). {@code Q} is the identity, or the cache's quantizer with a straight-through gradient. Deterministic, one thread.
 *
 * <pre>
 *   C = X A,  E = Q(C) B - K,  G = 2 E / (N outputs)
 *   dB = Q(C)^t G,  dA = X^t (G B^t passed back through Q)
 * </pre>
 */
final class FactorTraining {
    private final Kernels kernels;
    private final Factors factors;
    private final Optional<LatentQuantizer> quantizer;
    private final Adam forA;
    private final Adam forB;
    private final float[] gradientA;
    private final float[] gradientB;
    private float[] latents = {};
    private float[] latentColumns = {};
    private float[] roundings = {};
    private float[] errors = {};
    private float[] latentGradients = {};

    /** Trains {@code factors} in place, through {@code quantizer} if there is one. */
    FactorTraining(Kernels kernels, Factors factors, Optional<LatentQuantizer> quantizer) {
        this.kernels = kernels;
        this.factors = factors;
        this.quantizer = quantizer;
        this.forA = new Adam(factors.a().length);
        this.forB = new Adam(factors.b().length);
        this.gradientA = new float[factors.a().length];
        this.gradientB = new float[factors.b().length];
    }

    /** What is trained. */
    Factors factors() {
        return factors;
    }

    /** The loss's derivative by {@code A} after {@link #gradients}, {@code [inputs][rank]}. */
    float[] gradientA() {
        return gradientA;
    }

    /** By {@code B}, {@code [rank][outputs]}. */
    float[] gradientB() {
        return gradientB;
    }

    /**
     * The sum of squared errors over a batch.
     *
     * @param x {@code [count][inputs]} from row {@code first} on
     * @param target {@code [count][outputs]}, likewise
     */
    double squaredError(float[] x, float[] target, int first, int count) {
        int rank = factors.rank();
        int outputs = factors.outputs();
        latents = Scratch.grown(latents, count * rank);
        errors = Scratch.grown(errors, count * outputs);
        Arrays.fill(latents, 0, count * rank, 0f);
        int inputs = factors.inputs();
        kernels.sums(x, first * inputs, inputs, count, factors.a(), 0, rank, inputs, rank, latents, 0, rank);
        if (quantizer.isPresent()) {
            roundings = Scratch.grown(roundings, count * rank);
            quantizer.get().round(latents, count, rank, roundings);
        }
        for (int i = 0; i < count * outputs; i++) {
            errors[i] = -target[first * outputs + i];
        }
        kernels.sums(latents, 0, rank, count, factors.b(), 0, outputs, rank, outputs, errors, 0, outputs);
        double sum = 0;
        for (int i = 0; i < count * outputs; i++) {
            sum += errors[i] * (double) errors[i];
        }
        return sum;
    }

    /** As {@link #squaredError}, and leaves the gradients of the mean squared error over the batch. */
    double gradients(float[] x, float[] target, int first, int count) {
        double sum = squaredError(x, target, first, count);
        int rank = factors.rank();
        int outputs = factors.outputs();
        int inputs = factors.inputs();
        float factor = 2f / ((float) count * outputs);
        for (int i = 0; i < count * outputs; i++) {
            errors[i] *= factor;
        }
        latentColumns = Scratch.grown(latentColumns, count * rank);
        Panels.transpose(latents, 0, rank, count, rank, latentColumns, count);
        Arrays.fill(gradientB, 0f);
        kernels.sums(latentColumns, 0, count, rank, errors, 0, outputs, count, outputs, gradientB, 0, outputs);
        latentGradients = Scratch.grown(latentGradients, count * rank);
        Arrays.fill(latentGradients, 0, count * rank, 0f);
        float[] rows = factors.rows();
        kernels.sums(errors, 0, outputs, count, rows, 0, rank, outputs, rank, latentGradients, 0, rank);
        if (quantizer.isPresent()) {
            quantizer.get().passBack(latentGradients, roundings, latents, count, rank);
        }
        Arrays.fill(gradientA, 0f);
        addInputProducts(x, first * inputs, count, inputs, rank);
        return sum;
    }

    /** {@code dA += X^t dC}, some channels of the inputs at a time. */
    private void addInputProducts(float[] x, int at, int count, int inputs, int rank) {
        int chunk = Kernels.PANEL;
        latentColumns = Scratch.grown(latentColumns, chunk * count);
        for (int c = 0; c < inputs; c += chunk) {
            int run = Math.min(chunk, inputs - c);
            Panels.transpose(x, at + c, inputs, count, run, latentColumns, count);
            int out = c * rank;
            kernels.sums(latentColumns, 0, count, run, latentGradients, 0, rank, count, rank, gradientA, out, rank);
        }
    }

    /** One step on a batch; returns the sum of squared errors before it. */
    double step(float[] x, float[] target, int first, int count, double rate) {
        double sum = gradients(x, target, first, count);
        forA.step(factors.a(), gradientA, rate);
        forB.step(factors.b(), gradientB, rate);
        return sum;
    }
}
