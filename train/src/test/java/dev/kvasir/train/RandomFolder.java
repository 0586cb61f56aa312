package dev.kvasir.train;

import dev.kvasir.format.ElementType;
import dev.kvasir.format.SafetensorsWriter;
import dev.kvasir.format.TensorInfo;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;

/**
 * Writes Hugging Face folders of random Llama models whose scores and logits are of the order of one.
 *
 * @param rope more fields of config.json
 */
record RandomFolder(int layers, int heads, int kvHeads, int headDim, boolean tied, ElementType type, String rope) {
    private static final int HIDDEN = 24;
    private static final int MLP = 40;
    private static final int VOCABULARY = 61;

    Path write(Path folder) throws IOException {
        Files.writeString(folder.resolve("config.json"), """
                {"model_type": "llama", "hidden_size": %d, "intermediate_size": %d, "num_hidden_layers": %d,
                 "num_attention_heads": %d, "num_key_value_heads": %d, "head_dim": %d, "vocab_size": %d,
                 "max_position_embeddings": 512, "rms_norm_eps": 1e-5, "rope_theta": 1000.0,
                 "tie_word_embeddings": %s%s}
                """.formatted(
                        HIDDEN, MLP, layers, heads, kvHeads, headDim, VOCABULARY, tied, rope));
        List<TensorInfo> tensors = tensors();
        try (SafetensorsWriter writer =
                SafetensorsWriter.create(folder.resolve("model.safetensors"), tensors, Map.of())) {
            for (TensorInfo tensor : tensors) {
                writer.write(values(tensor));
            }
            writer.commit();
        }
        return folder;
    }

    private List<TensorInfo> tensors() {
        List<TensorInfo> all = new ArrayList<>();
        all.add(tensor("model.embed_tokens.weight", VOCABULARY, HIDDEN));
        for (int layer = 0; layer < layers; layer++) {
            String at = "model.layers." + layer + ".";
            all.add(tensor(at + "self_attn.q_proj.weight", heads * headDim, HIDDEN));
            all.add(tensor(at + "self_attn.k_proj.weight", kvHeads * headDim, HIDDEN));
            all.add(tensor(at + "self_attn.v_proj.weight", kvHeads * headDim, HIDDEN));
            all.add(tensor(at + "self_attn.o_proj.weight", HIDDEN, heads * headDim));
            all.add(tensor(at + "mlp.gate_proj.weight", MLP, HIDDEN));
            all.add(tensor(at + "mlp.up_proj.weight", MLP, HIDDEN));
            all.add(tensor(at + "mlp.down_proj.weight", HIDDEN, MLP));
            all.add(tensor(at + "input_layernorm.weight", HIDDEN));
            all.add(tensor(at + "post_attention_layernorm.weight", HIDDEN));
        }
        all.add(tensor("model.norm.weight", HIDDEN));
        if (!tied) {
            all.add(tensor("lm_head.weight", VOCABULARY, HIDDEN));
        }
        return all;
    }

    private TensorInfo tensor(String name, int... shape) {
        return new TensorInfo(
                name, type, Arrays.stream(shape).asLongStream().boxed().toList());
    }

    private static ByteBuffer values(TensorInfo tensor) {
        Random random = new Random(tensor.name().hashCode());
        boolean norm = tensor.shape().size() == 1;
        double scale = norm ? 0.1 : 1.2 / Math.sqrt(tensor.shape().getLast());
        ByteBuffer bytes = ByteBuffer.allocate((int) tensor.bytes()).order(ByteOrder.LITTLE_ENDIAN);
        while (bytes.hasRemaining()) {
            float value = (float) (random.nextGaussian() * scale + (norm ? 1 : 0));
            switch (tensor.type()) {
                case F32 -> bytes.putFloat(value);
                case F16 -> bytes.putShort(Float.floatToFloat16(value));
                case BF16 -> bytes.putShort((short) (Float.floatToRawIntBits(value) >>> 16));
                default -> throw new IllegalArgumentException("weights are not " + tensor.type());
            }
        }
        return bytes.flip();
    }
}
