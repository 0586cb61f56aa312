package dev.kvasir.format;

import java.util.Arrays;
import java.util.Map;
import java.util.Objects;
import tools.jackson.databind.JsonNode;

/**
 * The oracle of the families: a forward pass in double and plain loops, without a cache, from {@code config.json} and the
 * tensors as they are in the files. Shares nothing with the decoder.
 *
 * <p>After the families' papers and Hugging Face's {@code modeling_*.py}: Llama 3 (arXiv 2407.21783), Mistral (2310.06825), Qwen
 * 2.5 (2412.15115), Qwen 3 (2505.09388), Phi-3 (2404.14219), Gemma 2 (2408.00118), Gemma 3 (2503.19786), YaRN (2309.00071),
 * LongRoPE (2402.13753).
 */
final class FamilyReference {
    private final JsonNode config;
    private final Map<String, float[]> tensors;
    private final String type;
    private final boolean gemma;
    private final int hidden;
    private final int heads;
    private final int kvHeads;
    private final int d;

    FamilyReference(FamilyFolder folder) {
        config = folder.config();
        tensors = folder.tensors();
        type = config.get("model_type").stringValue();
        gemma = type.startsWith("gemma");
        hidden = integer("hidden_size", 0);
        heads = integer("num_attention_heads", 0);
        kvHeads = integer("num_key_value_heads", 0);
        d = integer("head_dim", 0);
    }

    /** Logits of every token, {@code [tokens][vocabulary]}. */
    double[][] logits(int[] tokens) {
        int n = tokens.length;
        double[][] x = new double[n][hidden];
        for (int t = 0; t < n; t++) {
            for (int i = 0; i < hidden; i++) {
                x[t][i] = tensor("model.embed_tokens")[tokens[t] * hidden + i] * (gemma ? Math.sqrt(hidden) : 1);
            }
        }
        for (int layer = 0; layer < integer("num_hidden_layers", 0); layer++) {
            String p = "model.layers." + layer + ".";
            double[][] a = attention(p, layer, norm(x, p + "input_layernorm"));
            add(x, gemma ? norm(a, p + "post_attention_layernorm") : a);
            double[][] m = mlp(p, norm(x, p + (gemma ? "pre_feedforward_layernorm" : "post_attention_layernorm")));
            add(x, gemma ? norm(m, p + "post_feedforward_layernorm") : m);
        }
        double[][] logits = times(
                norm(x, "model.norm"),
                config.get("tie_word_embeddings").booleanValue() ? "model.embed_tokens" : "lm_head");
        double cap = type.equals("gemma2") ? number("final_logit_softcapping", 30) : 0;
        for (double[] row : logits) {
            for (int i = 0; cap > 0 && i < row.length; i++) {
                row[i] = cap * Math.tanh(row[i] / cap);
            }
        }
        return logits;
    }

    private double[][] attention(String p, int layer, double[][] x) {
        int n = x.length;
        double[][] q;
        double[][] k;
        double[][] v;
        if (type.equals("phi3")) {
            double[][] all = times(x, p + "self_attn.qkv_proj");
            q = columns(all, 0, heads * d);
            k = columns(all, heads * d, kvHeads * d);
            v = columns(all, (heads + kvHeads) * d, kvHeads * d);
        } else {
            q = times(x, p + "self_attn.q_proj");
            k = times(x, p + "self_attn.k_proj");
            v = times(x, p + "self_attn.v_proj");
        }
        if (type.equals("qwen2")) {
            bias(q, p + "self_attn.q_proj.bias");
            bias(k, p + "self_attn.k_proj.bias");
            bias(v, p + "self_attn.v_proj.bias");
        }
        if (type.equals("qwen3") || type.equals("gemma3_text")) {
            normHeads(q, p + "self_attn.q_norm");
            normHeads(k, p + "self_attn.k_norm");
        }
        boolean local = isLocal(layer);
        if (!(type.equals("smollm3") && layer % 4 == 3)) {
            rotate(q, local, n);
            rotate(k, local, n);
        }
        double scale = 1 / Math.sqrt(gemma ? number("query_pre_attn_scalar", 256) : d);
        double cap = type.equals("gemma2") ? number("attn_logit_softcapping", 50) : 0;
        int window = local ? integer("sliding_window", 4096) : Integer.MAX_VALUE;
        double[][] out = new double[n][heads * d];
        for (int h = 0; h < heads; h++) {
            int kv = h / (heads / kvHeads) * d;
            for (int t = 0; t < n; t++) {
                double[] w = new double[n];
                double sum = 0;
                for (int s = 0; s <= t; s++) {
                    if (t - s >= window) {
                        continue;
                    }
                    double score = 0;
                    for (int i = 0; i < d; i++) {
                        score += q[t][h * d + i] * k[s][kv + i];
                    }
                    score *= scale;
                    w[s] = Math.exp(cap > 0 ? cap * Math.tanh(score / cap) : score);
                    sum += w[s];
                }
                for (int s = 0; s <= t; s++) {
                    for (int i = 0; i < d; i++) {
                        out[t][h * d + i] += w[s] / sum * v[s][kv + i];
                    }
                }
            }
        }
        return times(out, p + "self_attn.o_proj");
    }

    private boolean isLocal(int layer) {
        return switch (type) {
            case "mistral", "phi3" ->
                config.has("sliding_window") && !config.get("sliding_window").isNull();
            case "gemma2" -> layer % 2 == 0;
            case "gemma3_text" -> layer % 6 != 5;
            case "qwen2" -> config.has("use_sliding_window") && layer >= integer("max_window_layers", 28);
            default -> false;
        };
    }

    private void rotate(double[][] x, boolean local, int n) {
        boolean gemma3Local = type.equals("gemma3_text") && local;
        JsonNode rope = config.get("rope_scaling");
        String kind =
                rope == null || gemma3Local ? "default" : rope.get("rope_type").stringValue();
        double theta = gemma3Local ? number("rope_local_base_freq", 10_000) : number("rope_theta", 10_000);
        int dims = (int) (d * number("partial_rotary_factor", 1));
        int half = dims / 2;
        double gain = kind.equals("yarn") ? yarnGain(rope) : kind.equals("longrope") ? longGain() : 1;
        for (int t = 0; t < n; t++) {
            for (int h = 0; h < x[0].length; h += d) {
                for (int i = 0; i < half; i++) {
                    double f = frequency(kind, rope, i, half, theta, n);
                    double cos = gain * Math.cos(t * f);
                    double sin = gain * Math.sin(t * f);
                    double a = x[t][h + i];
                    double b = x[t][h + half + i];
                    x[t][h + i] = a * cos - b * sin;
                    x[t][h + half + i] = b * cos + a * sin;
                }
            }
        }
    }

    private double frequency(String kind, JsonNode rope, int i, int half, double theta, int n) {
        double f = 1 / Math.pow(theta, (double) i / half);
        return switch (kind) {
            case "linear" -> f / rope.get("factor").doubleValue();
            case "llama3" -> llama3(rope, f);
            case "yarn" -> {
                double factor = rope.get("factor").doubleValue();
                double original = rope.get("original_max_position_embeddings").doubleValue();
                double low = Math.max(0, Math.floor(correction(32, 2 * half, theta, original)));
                double high = Math.min(2 * half - 1, Math.ceil(correction(1, 2 * half, theta, original)));
                double ramp = Math.min(1, Math.max(0, (i - low) / (high - low)));
                yield f / factor * ramp + f * (1 - ramp);
            }
            case "longrope" -> {
                boolean isLong = n > integer("original_max_position_embeddings", 4096);
                yield f
                        / rope.get(isLong ? "long_factor" : "short_factor")
                                .get(i)
                                .doubleValue();
            }
            default -> f;
        };
    }

    private static double llama3(JsonNode rope, double f) {
        double factor = rope.get("factor").doubleValue();
        double low = rope.get("low_freq_factor").doubleValue();
        double high = rope.get("high_freq_factor").doubleValue();
        double original = rope.get("original_max_position_embeddings").doubleValue();
        double wavelength = 2 * Math.PI / f;
        if (wavelength < original / high) {
            return f;
        }
        if (wavelength > original / low) {
            return f / factor;
        }
        double smooth = (original / wavelength - low) / (high - low);
        return (1 - smooth) * f / factor + smooth * f;
    }

    /** YaRN, the inverse of equation 17: the dimension that turns so many times. */
    private static double correction(double turns, int dims, double theta, double original) {
        return dims * Math.log(original / (turns * 2 * Math.PI)) / (2 * Math.log(theta));
    }

    private static double yarnGain(JsonNode rope) {
        return rope.has("attention_factor")
                ? rope.get("attention_factor").doubleValue()
                : 0.1 * Math.log(rope.get("factor").doubleValue()) + 1;
    }

    private double longGain() {
        double original = number("original_max_position_embeddings", 4096);
        double ratio = number("max_position_embeddings", 0) / original;
        return ratio <= 1 ? 1 : Math.sqrt(1 + Math.log(ratio) / Math.log(original));
    }

    private double[][] mlp(String p, double[][] x) {
        int width = integer("intermediate_size", 0);
        double[][] gate;
        double[][] up;
        if (type.equals("phi3")) {
            double[][] both = times(x, p + "mlp.gate_up_proj");
            gate = columns(both, 0, width);
            up = columns(both, width, width);
        } else {
            gate = times(x, p + "mlp.gate_proj");
            up = times(x, p + "mlp.up_proj");
        }
        for (int t = 0; t < x.length; t++) {
            for (int i = 0; i < width; i++) {
                double g = gate[t][i];
                double activated = gemma
                        ? 0.5 * g * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (g + 0.044715 * g * g * g)))
                        : g / (1 + Math.exp(-g));
                gate[t][i] = activated * up[t][i];
            }
        }
        return times(gate, p + "mlp.down_proj");
    }

    private double[][] norm(double[][] x, String name) {
        double[][] out = new double[x.length][];
        for (int t = 0; t < x.length; t++) {
            out[t] = normed(x[t], 0, hidden, name);
        }
        return out;
    }

    private void normHeads(double[][] x, String name) {
        for (double[] row : x) {
            for (int h = 0; h < row.length; h += d) {
                System.arraycopy(normed(row, h, d, name), 0, row, h, d);
            }
        }
    }

    private double[] normed(double[] x, int from, int width, String name) {
        double squares = 0;
        for (int i = 0; i < width; i++) {
            squares += x[from + i] * x[from + i];
        }
        double root = Math.sqrt(squares / width + number("rms_norm_eps", type.equals("phi3") ? 1e-5 : 1e-6));
        double[] out = new double[width];
        for (int i = 0; i < width; i++) {
            out[i] = x[from + i] / root * (tensor(name)[i] + (gemma ? 1 : 0));
        }
        return out;
    }

    private double[][] times(double[][] x, String name) {
        float[] w = tensor(name);
        int in = x[0].length;
        int rows = w.length / in;
        double[][] out = new double[x.length][rows];
        for (int t = 0; t < x.length; t++) {
            for (int r = 0; r < rows; r++) {
                for (int c = 0; c < in; c++) {
                    out[t][r] += w[r * in + c] * x[t][c];
                }
            }
        }
        return out;
    }

    private void bias(double[][] x, String name) {
        for (double[] row : x) {
            for (int i = 0; i < row.length; i++) {
                row[i] += stored(name)[i];
            }
        }
    }

    private static double[][] columns(double[][] x, int from, int count) {
        return Arrays.stream(x)
                .map(row -> Arrays.copyOfRange(row, from, from + count))
                .toArray(double[][]::new);
    }

    private static void add(double[][] x, double[][] y) {
        for (int t = 0; t < x.length; t++) {
            for (int i = 0; i < x[t].length; i++) {
                x[t][i] += y[t][i];
            }
        }
    }

    private float[] tensor(String name) {
        return stored(name + ".weight");
    }

    private float[] stored(String name) {
        return Objects.requireNonNull(tensors.get(name), name);
    }

    private int integer(String field, int otherwise) {
        return config.has(field) ? config.get(field).intValue() : otherwise;
    }

    private double number(String field, double otherwise) {
        return config.has(field) ? config.get(field).doubleValue() : otherwise;
    }
}
