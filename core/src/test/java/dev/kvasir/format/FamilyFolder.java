package dev.kvasir.format;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import tools.jackson.databind.node.ObjectNode;

/** A small folder of random f32 weights of a family, and what is in it in the clear. */
public record FamilyFolder(ObjectNode config, Map<String, float[]> tensors) {
    /** A folder whose {@code config.json} has these fields beside the sizes. */
    public static FamilyFolder of(String fields, int layers) {
        ObjectNode config = JsonFile.MAPPER.createObjectNode();
        config.put("hidden_size", 48);
        config.put("intermediate_size", 80);
        config.put("num_hidden_layers", layers);
        config.put("num_attention_heads", 4);
        config.put("num_key_value_heads", 2);
        config.put("head_dim", 16);
        config.put("vocab_size", 101);
        config.put("max_position_embeddings", 256);
        config.put("tie_word_embeddings", false);
        config.put("bos_token_id", 1);
        config.put("eos_token_id", 2);
        config.setAll((ObjectNode) JsonFile.MAPPER.readTree(fields));
        Map<String, List<Integer>> shapes = shapes(config);
        Map<String, float[]> tensors = new LinkedHashMap<>();
        boolean gemma = config.get("model_type").stringValue().startsWith("gemma");
        shapes.forEach((name, shape) -> tensors.put(name, values(name, shape, gemma)));
        return new FamilyFolder(config, tensors);
    }

    private static float[] values(String name, List<Integer> shape, boolean gemma) {
        Random random = new Random(name.hashCode());
        float[] values = new float[shape.stream().reduce(1, Math::multiplyExact)];
        boolean norm = name.contains("norm");
        double deviation = norm ? 0.2 : shape.size() == 1 ? 0.5 : 1.5 / Math.sqrt(shape.get(1));
        for (int i = 0; i < values.length; i++) {
            values[i] = (float) (random.nextGaussian() * deviation + (norm && !gemma ? 1 : 0));
        }
        return values;
    }

    private static Map<String, List<Integer>> shapes(ObjectNode c) {
        String type = c.get("model_type").stringValue();
        int hidden = c.get("hidden_size").intValue();
        int mlp = c.get("intermediate_size").intValue();
        int d = c.get("head_dim").intValue();
        int q = c.get("num_attention_heads").intValue() * d;
        int kv = c.get("num_key_value_heads").intValue() * d;
        int vocabulary = c.get("vocab_size").intValue();
        Map<String, List<Integer>> shapes = new LinkedHashMap<>();
        shapes.put("model.embed_tokens.weight", List.of(vocabulary, hidden));
        for (int i = 0; i < c.get("num_hidden_layers").intValue(); i++) {
            String p = "model.layers." + i + ".";
            shapes.put(p + "input_layernorm.weight", List.of(hidden));
            shapes.put(p + "post_attention_layernorm.weight", List.of(hidden));
            if (type.startsWith("gemma")) {
                shapes.put(p + "pre_feedforward_layernorm.weight", List.of(hidden));
                shapes.put(p + "post_feedforward_layernorm.weight", List.of(hidden));
            }
            if (type.equals("phi3")) {
                shapes.put(p + "self_attn.qkv_proj.weight", List.of(q + 2 * kv, hidden));
                shapes.put(p + "mlp.gate_up_proj.weight", List.of(2 * mlp, hidden));
            } else {
                shapes.put(p + "self_attn.q_proj.weight", List.of(q, hidden));
                shapes.put(p + "self_attn.k_proj.weight", List.of(kv, hidden));
                shapes.put(p + "self_attn.v_proj.weight", List.of(kv, hidden));
                shapes.put(p + "mlp.gate_proj.weight", List.of(mlp, hidden));
                shapes.put(p + "mlp.up_proj.weight", List.of(mlp, hidden));
            }
            if (type.equals("qwen2")) {
                shapes.put(p + "self_attn.q_proj.bias", List.of(q));
                shapes.put(p + "self_attn.k_proj.bias", List.of(kv));
                shapes.put(p + "self_attn.v_proj.bias", List.of(kv));
            }
            if (type.equals("qwen3") || type.equals("gemma3_text")) {
                shapes.put(p + "self_attn.q_norm.weight", List.of(d));
                shapes.put(p + "self_attn.k_norm.weight", List.of(d));
            }
            shapes.put(p + "self_attn.o_proj.weight", List.of(hidden, q));
            shapes.put(p + "mlp.down_proj.weight", List.of(hidden, mlp));
        }
        shapes.put("model.norm.weight", List.of(hidden));
        if (!c.get("tie_word_embeddings").booleanValue()) {
            shapes.put("lm_head.weight", List.of(vocabulary, hidden));
        }
        return shapes;
    }

    /** Writes it as Hugging Face would. */
    public Path write(Path folder) throws IOException {
        Files.createDirectories(folder);
        TestFolders.writeConfig(folder, config);
        Map<String, List<Integer>> shapes = shapes(config);
        List<TensorInfo> infos = new ArrayList<>();
        shapes.forEach((name, shape) -> infos.add(new TensorInfo(
                name, ElementType.F32, shape.stream().map(Integer::longValue).toList())));
        try (SafetensorsWriter writer =
                SafetensorsWriter.create(folder.resolve("model.safetensors"), infos, Map.of("format", "pt"))) {
            for (float[] values : tensors.values()) {
                ByteBuffer bytes = ByteBuffer.allocate(4 * values.length).order(ByteOrder.LITTLE_ENDIAN);
                for (float value : values) {
                    bytes.putFloat(value);
                }
                writer.write(bytes.flip());
            }
            writer.commit();
        }
        return folder;
    }
}
