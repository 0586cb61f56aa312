package dev.kvasir.format;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.function.Predicate;
import tools.jackson.databind.node.ObjectNode;

/**
 * Writes tiny model folders of random weights, shaped as asked.
 *
 * @param headDim may differ from {@code hidden / heads}
 */
public record TestFolders(
        int hidden,
        int intermediate,
        int layers,
        int heads,
        int kvHeads,
        int headDim,
        int vocabulary,
        boolean tied,
        ElementType type) {

    /** Two layers, grouped heads, tied, bf16; {@link TestTokenizers#byteLevel} fits its vocabulary. */
    public static final TestFolders TINY = new TestFolders(12, 20, 2, 4, 2, 6, 300, true, ElementType.BF16);

    /** Another element type. */
    public TestFolders with(ElementType other) {
        return new TestFolders(hidden, intermediate, layers, heads, kvHeads, headDim, vocabulary, tied, other);
    }

    /** With an output matrix of its own. */
    public TestFolders untied() {
        return new TestFolders(hidden, intermediate, layers, heads, kvHeads, headDim, vocabulary, false, type);
    }

    /** The configuration, to be changed before it is written. */
    public ObjectNode config() {
        ObjectNode config = JsonFile.MAPPER.createObjectNode();
        config.put("model_type", "llama");
        config.put("hidden_size", hidden);
        config.put("intermediate_size", intermediate);
        config.put("num_hidden_layers", layers);
        config.put("num_attention_heads", heads);
        config.put("num_key_value_heads", kvHeads);
        config.put("head_dim", headDim);
        config.put("vocab_size", vocabulary);
        config.put("max_position_embeddings", 256);
        config.put("tie_word_embeddings", tied);
        config.put("bos_token_id", 1);
        config.put("eos_token_id", 2);
        return config;
    }

    /** All tensors of the model, in Hugging Face's names. */
    public List<TensorInfo> tensors() {
        List<TensorInfo> tensors = new ArrayList<>();
        tensors.add(tensor("model.embed_tokens.weight", vocabulary, hidden));
        for (int i = 0; i < layers; i++) {
            String layer = "model.layers." + i + ".";
            tensors.add(tensor(layer + "input_layernorm.weight", hidden));
            tensors.add(tensor(layer + "self_attn.q_proj.weight", heads * headDim, hidden));
            tensors.add(tensor(layer + "self_attn.k_proj.weight", kvHeads * headDim, hidden));
            tensors.add(tensor(layer + "self_attn.v_proj.weight", kvHeads * headDim, hidden));
            tensors.add(tensor(layer + "self_attn.o_proj.weight", hidden, heads * headDim));
            tensors.add(tensor(layer + "post_attention_layernorm.weight", hidden));
            tensors.add(tensor(layer + "mlp.gate_proj.weight", intermediate, hidden));
            tensors.add(tensor(layer + "mlp.up_proj.weight", intermediate, hidden));
            tensors.add(tensor(layer + "mlp.down_proj.weight", hidden, intermediate));
        }
        tensors.add(tensor("model.norm.weight", hidden));
        if (!tied) {
            tensors.add(tensor("lm_head.weight", vocabulary, hidden));
        }
        return tensors;
    }

    private TensorInfo tensor(String name, int... shape) {
        List<Long> dimensions = new ArrayList<>();
        for (int dimension : shape) {
            dimensions.add((long) dimension);
        }
        return new TensorInfo(name, type, dimensions);
    }

    /** Writes configuration and one weights file. */
    public Path write(Path folder) throws IOException {
        Files.createDirectories(folder);
        writeConfig(folder, config());
        writeWeights(folder.resolve("model.safetensors"), tensors());
        return folder;
    }

    /** Writes {@code config.json}. */
    public static void writeConfig(Path folder, ObjectNode config) throws IOException {
        Files.writeString(folder.resolve("config.json"), JsonFile.MAPPER.writeValueAsString(config));
    }

    /** Writes the weights as two files and an index. */
    public void writeSharded(Path folder) throws IOException {
        Files.createDirectories(folder);
        writeConfig(folder, config());
        ObjectNode map = JsonFile.MAPPER.createObjectNode();
        Predicate<TensorInfo> first = t -> t.name().contains("layers.0.");
        for (int shard = 0; shard < 2; shard++) {
            String name = "model-0000" + (shard + 1) + "-of-00002.safetensors";
            boolean wantFirst = shard == 0;
            List<TensorInfo> part =
                    tensors().stream().filter(t -> first.test(t) == wantFirst).toList();
            writeWeights(folder.resolve(name), part);
            part.forEach(t -> map.put(t.name(), name));
        }
        writeIndex(folder, map);
    }

    /** Writes {@code model.safetensors.index.json}. */
    public static void writeIndex(Path folder, ObjectNode weightMap) throws IOException {
        ObjectNode index = JsonFile.MAPPER.createObjectNode();
        index.set("weight_map", weightMap);
        Files.writeString(folder.resolve("model.safetensors.index.json"), JsonFile.MAPPER.writeValueAsString(index));
    }

    /** Writes tensors whose values depend on their names alone. */
    public static void writeWeights(Path file, List<TensorInfo> tensors) throws IOException {
        try (SafetensorsWriter writer = SafetensorsWriter.create(file, tensors, Map.of("format", "pt"))) {
            for (TensorInfo tensor : tensors) {
                writer.write(values(tensor));
            }
            writer.commit();
        }
    }

    /** Random values of a tensor as stored. */
    static ByteBuffer values(TensorInfo tensor) {
        Random random = new Random(tensor.name().hashCode());
        ByteBuffer bytes = ByteBuffer.allocate((int) tensor.bytes()).order(ByteOrder.LITTLE_ENDIAN);
        while (bytes.hasRemaining()) {
            float value = (float) random.nextGaussian() * 0.1f;
            switch (tensor.type()) {
                case F32 -> bytes.putFloat(value);
                case F16 -> bytes.putShort(Float.floatToFloat16(value));
                case BF16 -> bytes.putShort((short) (Float.floatToRawIntBits(value) >>> 16));
                default -> bytes.put((byte) random.nextInt());
            }
        }
        return bytes.flip();
    }
}
