package dev.kvasir.train;

import dev.kvasir.InvalidFileException;
import dev.kvasir.format.ElementType;
import dev.kvasir.format.SafetensorsWriter;
import dev.kvasir.format.TensorInfo;
import dev.kvasir.train.net.LlamaNet;
import dev.kvasir.train.net.NetShape;
import dev.kvasir.train.net.Tensors;
import dev.kvasir.train.recipe.Recipe;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.bytedeco.pytorch.Tensor;
import tools.jackson.databind.SerializationFeature;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ObjectNode;

/**
 * Writes a net as a Hugging Face folder: {@code config.json}, {@code generation_config.json}, {@code model.safetensors} in
 * bf16, the tokenizer's files and the model card.
 */
final class ModelExport {
    private static final JsonMapper JSON =
            JsonMapper.builder().enable(SerializationFeature.INDENT_OUTPUT).build();

    private ModelExport() {}

    /** Rows {@code from} to {@code from + rows - 1} of a parameter, under the name Hugging Face gives them. */
    private record Part(String name, String parameter, int from, int rows) {}

    /** Writes everything into {@code folder}; the tokenizer's files are copied from {@code tokenizer}. */
    static void write(
            Path folder, Recipe recipe, LlamaNet net, Path tokenizer, int bosToken, int eosToken, String card) {
        try {
            Files.createDirectories(folder);
            for (String file : List.of("tokenizer.json", "tokenizer_config.json")) {
                if (!tokenizer.toRealPath().equals(folder.toRealPath())) {
                    Files.copy(tokenizer.resolve(file), folder.resolve(file), StandardCopyOption.REPLACE_EXISTING);
                }
            }
            writeJson(folder.resolve("config.json"), config(recipe, net.vocabularySize(), bosToken, eosToken));
            ObjectNode generation = JSON.createObjectNode();
            generation.put("bos_token_id", bosToken).put("eos_token_id", eosToken);
            writeJson(folder.resolve("generation_config.json"), generation);
            writeWeights(folder.resolve("model.safetensors"), net);
            Files.writeString(folder.resolve("README.md"), card);
        } catch (IOException e) {
            throw new InvalidFileException(folder, "the model cannot be written: " + e, e);
        }
    }

    private static void writeJson(Path file, ObjectNode node) throws IOException {
        Files.writeString(file, JSON.writeValueAsString(node) + "\n");
    }

    private static ObjectNode config(Recipe recipe, int vocabularySize, int bosToken, int eosToken) {
        NetShape shape = recipe.shape();
        ObjectNode config = JSON.createObjectNode();
        config.putArray("architectures").add("LlamaForCausalLM");
        config.put("model_type", "llama")
                .put("hidden_act", "silu")
                .put("hidden_size", shape.hiddenSize())
                .put("intermediate_size", shape.intermediateSize())
                .put("num_hidden_layers", shape.layers())
                .put("num_attention_heads", shape.heads())
                .put("num_key_value_heads", shape.kvHeads())
                .put("head_dim", shape.headDim())
                .put("vocab_size", vocabularySize)
                .put("max_position_embeddings", recipe.contextLength())
                .put("rms_norm_eps", shape.rmsNormEpsilon())
                .put("rope_theta", shape.ropeTheta())
                .put("tie_word_embeddings", true)
                .put("attention_bias", false)
                .put("mlp_bias", false)
                .put("bos_token_id", bosToken)
                .put("eos_token_id", eosToken)
                .put("torch_dtype", "bfloat16");
        return config;
    }

    private static void writeWeights(Path file, LlamaNet net) throws IOException {
        List<Part> parts = parts(net.shape(), net.vocabularySize());
        List<TensorInfo> infos = new ArrayList<>();
        for (Part part : parts) {
            infos.add(new TensorInfo(part.name(), ElementType.BF16, shapeOf(part, parameter(net, part))));
        }
        try (SafetensorsWriter writer = SafetensorsWriter.create(file, infos, Map.of("format", "pt"))) {
            for (Part part : parts) {
                writer.write(bf16(Tensors.floats(parameter(net, part).narrow(0, part.from(), part.rows()))));
            }
            writer.commit();
        }
    }

    private static Tensor parameter(LlamaNet net, Part part) {
        Tensor tensor = net.parameters().get(part.parameter());
        if (tensor == null) {
            throw new IllegalStateException("the net has no parameter " + part.parameter());
        }
        return tensor;
    }

    private static List<Long> shapeOf(Part part, Tensor tensor) {
        return tensor.dim() == 1 ? List.of((long) part.rows()) : List.of((long) part.rows(), tensor.size(1));
    }

    private static List<Part> parts(NetShape shape, int vocabularySize) {
        int hidden = shape.hiddenSize();
        int queryRows = shape.heads() * shape.headDim();
        int kvRows = shape.kvHeads() * shape.headDim();
        int mlp = shape.intermediateSize();
        List<Part> parts = new ArrayList<>();
        parts.add(new Part("model.embed_tokens.weight", "embedding", 0, vocabularySize));
        for (int l = 0; l < shape.layers(); l++) {
            String to = "model.layers." + l + ".";
            String from = "layers." + l + ".";
            parts.add(new Part(to + "input_layernorm.weight", from + "attentionNorm", 0, hidden));
            parts.add(new Part(to + "self_attn.q_proj.weight", from + "qkv", 0, queryRows));
            parts.add(new Part(to + "self_attn.k_proj.weight", from + "qkv", queryRows, kvRows));
            parts.add(new Part(to + "self_attn.v_proj.weight", from + "qkv", queryRows + kvRows, kvRows));
            parts.add(new Part(to + "self_attn.o_proj.weight", from + "attentionOutput", 0, hidden));
            parts.add(new Part(to + "post_attention_layernorm.weight", from + "mlpNorm", 0, hidden));
            parts.add(new Part(to + "mlp.gate_proj.weight", from + "gateUp", 0, mlp));
            parts.add(new Part(to + "mlp.up_proj.weight", from + "gateUp", mlp, mlp));
            parts.add(new Part(to + "mlp.down_proj.weight", from + "down", 0, hidden));
        }
        parts.add(new Part("model.norm.weight", "finalNorm", 0, hidden));
        return parts;
    }

    /** Round to nearest, ties to even. */
    static ByteBuffer bf16(float[] values) {
        ByteBuffer bytes = ByteBuffer.allocate(2 * values.length).order(ByteOrder.LITTLE_ENDIAN);
        for (float value : values) {
            int bits = Float.floatToRawIntBits(value);
            bytes.putShort((short) ((bits + 0x7FFF + ((bits >>> 16) & 1)) >>> 16));
        }
        return bytes.flip();
    }
}
