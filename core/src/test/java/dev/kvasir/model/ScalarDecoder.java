package dev.kvasir.model;

import dev.kvasir.tensor.Matrix;

/**
 * The oracle: a Llama forward pass in double, plain loops, no cache. Every token attends to all before it; follows
 * Hugging Face's {@code modeling_llama.py} line by line.
 */
public final class ScalarDecoder {
    private final Model model;
    private final ModelConfig config;

    public ScalarDecoder(Model model) {
        this.model = model;
        this.config = model.config();
    }

    /** Logits of every token, {@code [tokens][vocabularySize]}. */
    public double[][] logits(int[] tokens) {
        double[][] x = new double[tokens.length][config.hiddenSize()];
        for (int t = 0; t < tokens.length; t++) {
            for (int i = 0; i < config.hiddenSize(); i++) {
                x[t][i] = TestModels.element(model.weights().embedding(), tokens[t], i);
            }
        }
        for (Weights.Layer layer : model.weights().layers()) {
            add(x, times(attention(layer, norm(x, layer.attentionNorm())), layer.attentionOutput()));
            add(x, mlp(layer, norm(x, layer.mlpNorm())));
        }
        return times(norm(x, model.weights().finalNorm()), model.weights().output());
    }

    private double[][] attention(Weights.Layer layer, double[][] x) {
        double[][] q = rotate(times(x, layer.q()), config.heads());
        double[][] k = rotate(times(x, layer.k()), config.kvHeads());
        double[][] v = times(x, layer.v());
        int d = config.headDim();
        double[][] out = new double[x.length][config.heads() * d];
        for (int h = 0; h < config.heads(); h++) {
            int kvHead = h / (config.heads() / config.kvHeads());
            for (int t = 0; t < x.length; t++) {
                double[] weights = new double[t + 1];
                double sum = 0;
                for (int s = 0; s <= t; s++) {
                    double score = 0;
                    for (int i = 0; i < d; i++) {
                        score += q[t][h * d + i] * k[s][kvHead * d + i];
                    }
                    weights[s] = Math.exp(score / Math.sqrt(d));
                    sum += weights[s];
                }
                for (int s = 0; s <= t; s++) {
                    for (int i = 0; i < d; i++) {
                        out[t][h * d + i] += weights[s] / sum * v[s][kvHead * d + i];
                    }
                }
            }
        }
        return out;
    }

    private double[][] mlp(Weights.Layer layer, double[][] x) {
        double[][] gate = times(x, layer.gate());
        double[][] up = times(x, layer.up());
        for (int t = 0; t < x.length; t++) {
            for (int i = 0; i < gate[t].length; i++) {
                gate[t][i] *= up[t][i] / (1 + Math.exp(-gate[t][i]));
            }
        }
        return times(gate, layer.down());
    }

    private double[][] rotate(double[][] x, int heads) {
        int half = config.headDim() / 2;
        double[][] out = new double[x.length][x[0].length];
        for (int t = 0; t < x.length; t++) {
            for (int h = 0; h < heads; h++) {
                for (int i = 0; i < half; i++) {
                    int a = h * 2 * half + i;
                    int b = a + half;
                    double angle = t * frequency(i);
                    out[t][a] = x[t][a] * Math.cos(angle) - x[t][b] * Math.sin(angle);
                    out[t][b] = x[t][b] * Math.cos(angle) + x[t][a] * Math.sin(angle);
                }
            }
        }
        return out;
    }

    /** As in Hugging Face's {@code modeling_rope_utils.py}. */
    private double frequency(int pair) {
        double frequency = 1 / Math.pow(config.rotary(0).theta(), 2.0 * pair / config.headDim());
        RopeScaling found = config.rotary(0).scaling();
        if (found instanceof RopeScaling.Linear linear) {
            return frequency / linear.factor();
        }
        if (!(found instanceof RopeScaling.Llama3 scaling)) {
            return frequency;
        }
        double wavelength = 2 * Math.PI / frequency;
        double lowWavelength = (double) scaling.originalContextLength() / scaling.lowFrequencyFactor();
        double highWavelength = (double) scaling.originalContextLength() / scaling.highFrequencyFactor();
        if (wavelength < highWavelength) {
            return frequency;
        }
        if (wavelength > lowWavelength) {
            return frequency / scaling.factor();
        }
        double smooth = (scaling.originalContextLength() / wavelength - scaling.lowFrequencyFactor())
                / (scaling.highFrequencyFactor() - scaling.lowFrequencyFactor());
        return (1 - smooth) * frequency / scaling.factor() + smooth * frequency;
    }

    private double[][] norm(double[][] x, float[] weight) {
        double[][] out = new double[x.length][weight.length];
        for (int t = 0; t < x.length; t++) {
            double squares = 0;
            for (double value : x[t]) {
                squares += value * value;
            }
            for (int i = 0; i < weight.length; i++) {
                out[t][i] = x[t][i] / Math.sqrt(squares / weight.length + config.rmsNormEpsilon()) * weight[i];
            }
        }
        return out;
    }

    private static double[][] times(double[][] x, Matrix w) {
        double[][] out = new double[x.length][w.rows()];
        for (int r = 0; r < w.rows(); r++) {
            for (int c = 0; c < w.columns(); c++) {
                double weight = TestModels.element(w, r, c);
                for (int t = 0; t < x.length; t++) {
                    out[t][r] += weight * x[t][c];
                }
            }
        }
        return out;
    }

    private static void add(double[][] x, double[][] y) {
        for (int t = 0; t < x.length; t++) {
            for (int i = 0; i < x[t].length; i++) {
                x[t][i] += y[t][i];
            }
        }
    }
}
