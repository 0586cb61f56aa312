package dev.kvasir.cli;

import dev.kvasir.format.ElementType;
import dev.kvasir.format.SafetensorsWriter;
import dev.kvasir.format.TensorInfo;
import dev.kvasir.train.tokenizer.Progress;
import dev.kvasir.train.tokenizer.TokenizerOptions;
import dev.kvasir.train.tokenizer.TokenizerTraining;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;

/** Writes a model folder of two layers with random weights and a tokenizer of its own. */
public final class TinyModel {
    /** Most tokens of a sequence. */
    public static final int CONTEXT = 256;
    /** Ids of its tokenizer. */
    public static final int VOCABULARY = 300;

    private static final int HIDDEN = 64;
    private static final int MLP = 96;
    private static final int LAYERS = 2;
    private static final int HEADS = 2;
    private static final int KV_HEADS = 1;
    private static final int HEAD_DIM = 32;
    /** What its tokenizer learnt from. */
    public static final String TEXT =
            "The wise giant gave the dwarf a cup of mead, and the dwarf gave the wise giant a golden ring. ".repeat(20);

    private TinyModel() {}

    /** Writes the model and returns its folder. */
    public static Path write(Path folder) throws IOException {
        TokenizerTraining.train(TokenizerOptions.bpe(VOCABULARY), List.of(TEXT), Progress.silent())
                .writeTo(folder);
        Files.writeString(folder.resolve("config.json"), """
                {"architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_act": "silu",
                 "hidden_size": %d, "intermediate_size": %d, "num_hidden_layers": %d, "num_attention_heads": %d,
                 "num_key_value_heads": %d, "head_dim": %d, "vocab_size": %d, "max_position_embeddings": %d,
                 "rms_norm_eps": 1e-5, "rope_theta": 10000.0, "tie_word_embeddings": true, "torch_dtype": "float32"}
                """.formatted(
                        HIDDEN, MLP, LAYERS, HEADS, KV_HEADS, HEAD_DIM, VOCABULARY, CONTEXT));
        List<TensorInfo> tensors = tensors();
        SplittableRandom random = new SplittableRandom(7);
        try (SafetensorsWriter writer =
                SafetensorsWriter.create(folder.resolve("model.safetensors"), tensors, Map.of())) {
            for (TensorInfo tensor : tensors) {
                ByteBuffer bytes = ByteBuffer.allocate((int) tensor.bytes()).order(ByteOrder.LITTLE_ENDIAN);
                boolean norm = tensor.shape().size() == 1;
                while (bytes.hasRemaining()) {
                    bytes.putFloat(norm ? 1 : (float) (random.nextDouble() - 0.5) / 2);
                }
                writer.write(bytes.flip());
            }
            writer.commit();
        }
        return folder;
    }

    private static List<TensorInfo> tensors() {
        List<TensorInfo> all = new ArrayList<>();
        all.add(tensor("model.embed_tokens.weight", VOCABULARY, HIDDEN));
        for (int layer = 0; layer < LAYERS; layer++) {
            String at = "model.layers." + layer + ".";
            all.add(tensor(at + "self_attn.q_proj.weight", HEADS * HEAD_DIM, HIDDEN));
            all.add(tensor(at + "self_attn.k_proj.weight", KV_HEADS * HEAD_DIM, HIDDEN));
            all.add(tensor(at + "self_attn.v_proj.weight", KV_HEADS * HEAD_DIM, HIDDEN));
            all.add(tensor(at + "self_attn.o_proj.weight", HIDDEN, HEADS * HEAD_DIM));
            all.add(tensor(at + "mlp.gate_proj.weight", MLP, HIDDEN));
            all.add(tensor(at + "mlp.up_proj.weight", MLP, HIDDEN));
            all.add(tensor(at + "mlp.down_proj.weight", HIDDEN, MLP));
            all.add(tensor(at + "input_layernorm.weight", HIDDEN));
            all.add(tensor(at + "post_attention_layernorm.weight", HIDDEN));
        }
        all.add(tensor("model.norm.weight", HIDDEN));
        return all;
    }

    private static TensorInfo tensor(String name, long... shape) {
        List<Long> sizes = new ArrayList<>();
        for (long size : shape) {
            sizes.add(size);
        }
        return new TensorInfo(name, ElementType.F32, sizes);
    }
}
