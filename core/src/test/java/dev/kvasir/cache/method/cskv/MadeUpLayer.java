package dev.kvasir.cache.method.cskv;

import java.util.Random;

/**
 * Inputs and weights of one projection: inputs of a falling spectrum with a few channels of large magnitude, as trained models
 * have them.
 *
 * @param w {@code [inputs][outputs]}
 * @param x {@code [tokens][inputs]}
 * @param target {@code x w}, {@code [tokens][outputs]}
 */
record MadeUpLayer(int inputs, int outputs, int tokens, float[] w, float[] x, float[] target) {
    /** Of the same weights and spectrum for a seed, with other tokens for another {@code draw}. */
    static MadeUpLayer of(int inputs, int outputs, int tokens, long seed, long draw) {
        Random fixed = new Random(seed);
        float[] w = gaussian(fixed, inputs * outputs, 1 / Math.sqrt(inputs));
        float[] mixing = gaussian(fixed, inputs * inputs, 1 / Math.sqrt(inputs));
        Random random = new Random(draw);
        float[] x = new float[tokens * inputs];
        for (int t = 0; t < tokens; t++) {
            double[] source = new double[inputs];
            for (int i = 0; i < inputs; i++) {
                source[i] = random.nextGaussian() * Math.pow(0.85, i);
            }
            for (int j = 0; j < inputs; j++) {
                double sum = 0;
                for (int i = 0; i < inputs; i++) {
                    sum += source[i] * mixing[i * inputs + j];
                }
                x[t * inputs + j] = (float) (sum * (j % 13 == 2 ? 12 : 1) + 0.02 * random.nextGaussian());
            }
        }
        return of(inputs, outputs, tokens, w, x);
    }

    /** Of these inputs and weights. */
    private static MadeUpLayer of(int inputs, int outputs, int tokens, float[] w, float[] x) {
        float[] target = new float[tokens * outputs];
        for (int t = 0; t < tokens; t++) {
            for (int o = 0; o < outputs; o++) {
                double sum = 0;
                for (int i = 0; i < inputs; i++) {
                    sum += x[t * inputs + i] * (double) w[i * outputs + o];
                }
                target[t * outputs + o] = (float) sum;
            }
        }
        return new MadeUpLayer(inputs, outputs, tokens, w, x, target);
    }

    /** The same with a mean of its own in some channels, which the keys of trained models have. */
    MadeUpLayer withMeans(float mean) {
        float[] moved = x.clone();
        for (int i = 0; i < moved.length; i++) {
            moved[i] += i % inputs % 13 == 2 ? mean : 0;
        }
        return of(inputs, outputs, tokens, w, moved);
    }

    static float[] gaussian(Random random, int size, double deviation) {
        float[] numbers = new float[size];
        for (int i = 0; i < size; i++) {
            numbers[i] = (float) (random.nextGaussian() * deviation);
        }
        return numbers;
    }

    /** The scales of ASVD, {@code (mean |x_j| + 1e-6)^alpha}. */
    double[] scales(double alpha) {
        double[] scales = new double[inputs];
        for (int j = 0; j < inputs; j++) {
            double sum = 0;
            for (int t = 0; t < tokens; t++) {
                sum += Math.abs(x[t * inputs + j]);
            }
            scales[j] = Math.pow(sum / tokens + 1e-6, alpha);
        }
        return scales;
    }

    /** {@code K^t K} of the targets. */
    double[] moments() {
        double[] moments = new double[outputs * outputs];
        for (int t = 0; t < tokens; t++) {
            for (int a = 0; a < outputs; a++) {
                for (int b = 0; b < outputs; b++) {
                    moments[a * outputs + b] += target[t * outputs + a] * (double) target[t * outputs + b];
                }
            }
        }
        return moments;
    }

    /** Latents {@code x A}, in float64, of the first {@code count} tokens. */
    double[] latents(Factors factors, int count) {
        double[] latents = new double[count * factors.rank()];
        for (int t = 0; t < count; t++) {
            for (int k = 0; k < factors.rank(); k++) {
                for (int i = 0; i < inputs; i++) {
                    latents[t * factors.rank() + k] += x[t * inputs + i] * (double) factors.a()[i * factors.rank() + k];
                }
            }
        }
        return latents;
    }

    /** Mean squared error of {@code latents B} against the targets, in float64. */
    double error(double[] latents, Factors factors, int count) {
        double sum = 0;
        for (int t = 0; t < count; t++) {
            for (int o = 0; o < outputs; o++) {
                double e = -target[t * outputs + o];
                for (int k = 0; k < factors.rank(); k++) {
                    e += latents[t * factors.rank() + k] * factors.b()[k * outputs + o];
                }
                sum += e * e;
            }
        }
        return sum / ((double) count * outputs);
    }

    /** Mean squared error of {@code x A B}, in float64. */
    double error(Factors factors) {
        return error(latents(factors, tokens), factors, tokens);
    }
}
