package dev.kvasir.fuzz;

import dev.kvasir.format.gguf.TestGguf;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.stream.IntStream;

/** Small valid GGUF files: a model of each family, weights of each kind of block, tokenizers of both kinds. */
final class GgufSeeds {
    private static final int F32 = 0;
    private static final int F16 = 1;

    private GgufSeeds() {}

    /** A way to store weights: its number in files, elements and bytes of a block. */
    private record Stored(int id, int elements, int bytes) {
        static final Stored FULL = new Stored(F32, 1, 4);
        static final Stored HALF = new Stored(F16, 1, 2);
    }

    /** Sizes of a model. */
    private record Sizes(int hidden, int wide, int layers, int heads, int kvHeads, int headDim, int vocabulary) {
        static final Sizes SMALL = new Sizes(8, 8, 1, 2, 1, 4, 16);
    }

    static Map<String, byte[]> models() {
        Map<String, byte[]> seeds = new LinkedHashMap<>();
        for (String family : List.of("llama", "qwen2", "qwen3", "phi3", "gemma2", "gemma3")) {
            TestGguf file = metadata(family, Sizes.SMALL);
            tensors(file, family, Sizes.SMALL, Stored.FULL);
            seeds.put(family, file.toBytes());
        }
        Sizes blocks = new Sizes(32, 32, 1, 2, 1, 16, 8);
        List<Stored> types = List.of(
                Stored.HALF,
                new Stored(30, 1, 2),
                new Stored(2, 32, 18),
                new Stored(3, 32, 20),
                new Stored(6, 32, 22),
                new Stored(7, 32, 24),
                new Stored(8, 32, 34),
                new Stored(20, 32, 18));
        for (Stored type : types) {
            TestGguf file = metadata("llama", blocks);
            tensors(file, "llama", blocks, type);
            seeds.put("type-" + type.id(), file.toBytes());
        }
        Sizes wide = new Sizes(256, 8, 1, 1, 1, 8, 8);
        for (Stored type : List.of(
                new Stored(10, 256, 84),
                new Stored(11, 256, 110),
                new Stored(12, 256, 144),
                new Stored(13, 256, 176),
                new Stored(14, 256, 210))) {
            TestGguf file = metadata("llama", wide);
            tensors(file, "llama", wide, type);
            seeds.put("type-" + type.id(), file.toBytes());
        }
        TestGguf scaled = metadata("qwen2", Sizes.SMALL)
                .text("qwen2.rope.scaling.type", "yarn")
                .f32("qwen2.rope.scaling.factor", 4)
                .u32("qwen2.rope.scaling.original_context_length", 64);
        tensors(scaled, "qwen2", Sizes.SMALL, Stored.HALF);
        seeds.put("yarn", scaled.toBytes());
        return seeds;
    }

    /** A model of each family and a tokenizer of each kind. */
    static Map<String, byte[]> some() {
        Map<String, byte[]> seeds = tokenizers();
        models().forEach((name, bytes) -> {
            if (!name.startsWith("type-")) {
                seeds.put(name, bytes);
            }
        });
        return seeds;
    }

    private static TestGguf metadata(String family, Sizes sizes) {
        return new TestGguf()
                .text("general.architecture", family)
                .u32(family + ".embedding_length", sizes.hidden())
                .u32(family + ".feed_forward_length", sizes.wide())
                .u32(family + ".block_count", sizes.layers())
                .u32(family + ".context_length", 64)
                .u32(family + ".attention.head_count", sizes.heads())
                .u32(family + ".attention.head_count_kv", sizes.kvHeads())
                .u32(family + ".attention.key_length", sizes.headDim())
                .u32(family + ".attention.sliding_window", family.startsWith("gemma") ? 16 : 0)
                .f32(family + ".attention.layer_norm_rms_epsilon", 1e-6f);
    }

    private static void tensors(TestGguf file, String family, Sizes sizes, Stored type) {
        boolean gemma = family.startsWith("gemma");
        boolean fused = family.equals("phi3");
        int hidden = sizes.hidden();
        int queries = sizes.heads() * sizes.headDim();
        int keys = sizes.kvHeads() * sizes.headDim();
        matrix(file, "token_embd.weight", type, sizes.vocabulary(), hidden);
        vector(file, "output_norm.weight", hidden);
        for (int i = 0; i < sizes.layers(); i++) {
            String layer = "blk." + i + ".";
            vector(file, layer + "attn_norm.weight", hidden);
            vector(file, layer + "ffn_norm.weight", hidden);
            if (gemma) {
                vector(file, layer + "post_attention_norm.weight", hidden);
                vector(file, layer + "post_ffw_norm.weight", hidden);
            }
            if (fused) {
                matrix(file, layer + "attn_qkv.weight", type, queries + 2 * keys, hidden);
            } else {
                matrix(file, layer + "attn_q.weight", type, queries, hidden);
                matrix(file, layer + "attn_k.weight", type, keys, hidden);
                matrix(file, layer + "attn_v.weight", type, keys, hidden);
                matrix(file, layer + "ffn_gate.weight", type, sizes.wide(), hidden);
            }
            if (family.equals("qwen2")) {
                vector(file, layer + "attn_q.bias", queries);
                vector(file, layer + "attn_k.bias", keys);
                vector(file, layer + "attn_v.bias", keys);
            }
            if (family.equals("qwen3") || family.equals("gemma3")) {
                vector(file, layer + "attn_q_norm.weight", sizes.headDim());
                vector(file, layer + "attn_k_norm.weight", sizes.headDim());
            }
            matrix(file, layer + "attn_output.weight", type, hidden, queries);
            matrix(file, layer + "ffn_up.weight", type, fused ? 2 * sizes.wide() : sizes.wide(), hidden);
            matrix(file, layer + "ffn_down.weight", type, hidden, sizes.wide());
        }
        if (fused) {
            vector(file, "rope_factors_long.weight", sizes.headDim() / 2);
            vector(file, "rope_factors_short.weight", sizes.headDim() / 2);
        }
        if (family.equals("llama")) {
            vector(file, "rope_freqs.weight", sizes.headDim() / 2);
        }
    }

    /** Random blocks; rows that do not fill a block are halves. */
    private static void matrix(TestGguf file, String name, Stored wanted, int rows, int columns) {
        Stored type = columns % wanted.elements() == 0 ? wanted : Stored.HALF;
        byte[] bytes = new byte[rows * columns / type.elements() * type.bytes()];
        new Random(name.hashCode()).nextBytes(bytes);
        if (type.id() == F32) {
            file.tensor(name, F32, TestGguf.f32(numbers(name, rows * columns)), columns, rows);
        } else {
            file.tensor(name, type.id(), bytes, columns, rows);
        }
    }

    private static void vector(TestGguf file, String name, int length) {
        file.tensor(name, F32, TestGguf.f32(numbers(name, length)), length);
    }

    private static float[] numbers(String name, int count) {
        Random random = new Random(name.hashCode());
        float[] numbers = new float[count];
        for (int i = 0; i < count; i++) {
            numbers[i] = 1 + (float) random.nextGaussian() / 8;
        }
        return numbers;
    }

    static Map<String, byte[]> tokenizers() {
        Map<String, byte[]> seeds = new LinkedHashMap<>();
        List<String> bytes = new ArrayList<>(
                IntStream.rangeClosed('!', '~').mapToObj(Character::toString).toList());
        bytes.addAll(List.of("th", "the", "\u0120", "\u0120the", "in", "<s>", "</s>"));
        int[] kinds = new int[bytes.size()];
        Arrays.fill(kinds, 1);
        kinds[bytes.size() - 1] = 3;
        kinds[bytes.size() - 2] = 3;
        for (String pre : List.of("llama-bpe", "qwen2", "gpt-2", "default")) {
            TestGguf file = new TestGguf()
                    .text("tokenizer.ggml.model", "gpt2")
                    .text("tokenizer.ggml.pre", pre)
                    .texts("tokenizer.ggml.tokens", bytes)
                    .texts("tokenizer.ggml.merges", List.of("t h", "th e", "\u0120 the", "i n"))
                    .u32("tokenizer.ggml.bos_token_id", bytes.size() - 2)
                    .u32("tokenizer.ggml.eos_token_id", bytes.size() - 1)
                    .ints("tokenizer.ggml.token_type", kinds)
                    .text("tokenizer.chat_template", "{{ bos_token }}{{ messages[0].content }}");
            seeds.put("bytes-" + pre, file.toBytes());
        }
        List<String> pieces =
                List.of("<unk>", "<s>", "</s>", "<0x0A>", "\u2581", "t", "h", "e", "th", "the", "\u2581the", "<user>");
        for (boolean prefix : new boolean[] {false, true}) {
            TestGguf file = new TestGguf()
                    .text("tokenizer.ggml.model", "llama")
                    .texts("tokenizer.ggml.tokens", pieces)
                    .floats("tokenizer.ggml.scores", 0, 0, 0, 0, -5, -6, -7, -8, -1, -2, -3, 0)
                    .ints("tokenizer.ggml.token_type", 2, 3, 3, 6, 1, 1, 1, 1, 1, 1, 1, 4)
                    .bool("tokenizer.ggml.add_space_prefix", prefix);
            seeds.put("pieces-" + prefix, file.toBytes());
        }
        return seeds;
    }
}
