package dev.kvasir.fuzz;

import dev.kvasir.format.ElementType;
import dev.kvasir.format.FamilyFolder;
import dev.kvasir.format.TestFolders;
import dev.kvasir.format.TestTokenizers;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Small valid files of Hugging Face folders. */
final class FolderSeeds {
    /** What opening and running one of the families takes counts as that many bytes of input. */
    static final int WEIGHT_BYTES = 1 << 15;

    /** One layer; the weights are less than two kilobytes. */
    static final TestFolders SHAPE = new TestFolders(4, 4, 1, 2, 1, 2, 8, true, ElementType.BF16);

    /** Families by model type, with the fields that set them apart. */
    static final Map<String, String> FAMILIES = families();

    private FolderSeeds() {}

    private static Map<String, String> families() {
        Map<String, String> families = new LinkedHashMap<>();
        families.put("llama", """
                {"model_type": "llama", "rope_theta": 500000.0, "rms_norm_eps": 1e-5, "rope_scaling":
                 {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
                  "original_max_position_embeddings": 64}}""");
        families.put("mistral", """
                {"model_type": "mistral", "sliding_window": 32}""");
        families.put("qwen2", """
                {"model_type": "qwen2", "use_sliding_window": true, "sliding_window": 24, "max_window_layers": 1,
                 "rope_scaling": {"type": "yarn", "factor": 4.0, "original_max_position_embeddings": 64}}""");
        families.put("qwen3", """
                {"model_type": "qwen3", "rope_parameters": {"rope_type": "default", "rope_theta": 1000000.0}}""");
        families.put("phi3", """
                {"model_type": "phi3", "original_max_position_embeddings": 64, "rope_scaling": {"type": "longrope",
                 "short_factor": [1, 1, 1, 1, 1, 1, 1, 1], "long_factor": [1, 1, 2, 2, 3, 3, 4, 4]}}""");
        families.put("gemma2", """
                {"model_type": "gemma2", "sliding_window": 8, "query_pre_attn_scalar": 16,
                 "attn_logit_softcapping": 50.0, "final_logit_softcapping": 30.0,
                 "hidden_activation": "gelu_pytorch_tanh"}""");
        families.put("gemma3_text", """
                {"model_type": "gemma3_text", "sliding_window": 8, "query_pre_attn_scalar": 16,
                 "rope_local_base_freq": 10000, "layer_types": ["sliding_attention", "full_attention"],
                 "hidden_activation": "gelu_pytorch_tanh"}""");
        return families;
    }

    static Map<String, byte[]> configs() {
        Map<String, byte[]> seeds = new LinkedHashMap<>();
        FAMILIES.forEach((type, fields) -> seeds.put(
                type,
                (FamilyFolder.of(fields, 2).config() + "\0{\"eos_token_id\": [2, 3]}")
                        .getBytes(StandardCharsets.UTF_8)));
        return seeds;
    }

    static Map<String, byte[]> weights() throws IOException {
        Map<String, byte[]> seeds = new LinkedHashMap<>();
        for (ElementType type : List.of(ElementType.F32, ElementType.F16, ElementType.BF16)) {
            Path folder = SHAPE.with(type).write(Hostile.folder());
            seeds.put(type.name(), Files.readAllBytes(folder.resolve("model.safetensors")));
        }
        return seeds;
    }

    static Map<String, byte[]> index() throws IOException {
        Path folder = Hostile.folder();
        SHAPE.writeSharded(folder);
        return Map.of("index", Files.readAllBytes(folder.resolve("model.safetensors.index.json")));
    }

    /** Four of the product's tests, and small ones of the other models and steps that the native library knows. */
    static Map<String, byte[]> tokenizers() {
        Map<String, byte[]> seeds = new LinkedHashMap<>();
        seeds.put("bytes", utf8(TestTokenizers.byteLevel()));
        seeds.put("unigram", utf8(TestTokenizers.unigram()));
        seeds.put("metaspace", utf8(TestTokenizers.metaspace()));
        seeds.put("plain", utf8(TestTokenizers.withoutDecoder()));
        seeds.put("cuts", utf8("""
                {"version": "1.0", "normalizer": {"type": "Sequence", "normalizers": [{"type": "NFKC"},
                 {"type": "Lowercase"}, {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": " "}]},
                 "pre_tokenizer": {"type": "Sequence", "pretokenizers": [{"type": "Digits", "individual_digits": true},
                 {"type": "Split", "pattern": {"Regex": "(?i:'s|'t)|[^\\\\r\\\\n]?\\\\p{L}+|\\\\s+(?!\\\\S)|\\\\s+"},
                 "behavior": "MergedWithPrevious", "invert": false}, {"type": "Punctuation", "behavior": "Isolated"},
                 {"type": "CharDelimiterSplit", "delimiter": "-"}, {"type": "UnicodeScripts"}]},
                 "post_processor": {"type": "TemplateProcessing", "single": [{"Sequence": {"id": "A", "type_id": 0}}],
                 "pair": [], "special_tokens": {}}, "decoder": {"type": "Replace", "pattern": {"String": "a"}, "content": "b"},
                 "added_tokens": [{"id": 4, "content": "<s>", "single_word": true, "lstrip": true, "rstrip": true,
                 "normalized": true, "special": true}], "model": {"type": "BPE", "dropout": null, "unk_token": "u",
                 "fuse_unk": true, "ignore_merges": true, "end_of_word_suffix": "", "vocab": {"u": 0, "t": 1, "h": 2,
                 "th": 3}, "merges": [["t", "h"]]}}"""));
        seeds.put("pieces", utf8("""
                {"version": "1.0", "pre_tokenizer": {"type": "BertPreTokenizer"}, "decoder": {"type": "WordPiece",
                 "prefix": "##", "cleanup": true}, "model": {"type": "WordPiece", "unk_token": "[UNK]",
                 "continuing_subword_prefix": "##", "max_input_chars_per_word": 100, "vocab": {"[UNK]": 0, "th": 1,
                 "##e": 2}}}"""));
        seeds.put("words", utf8("""
                {"version": "1.0", "pre_tokenizer": {"type": "WhitespaceSplit"}, "model": {"type": "WordLevel",
                 "unk_token": "u", "vocab": {"u": 0, "the": 1, "thing": 2}}}"""));
        return seeds;
    }

    private static byte[] utf8(Object json) {
        return json.toString().getBytes(StandardCharsets.UTF_8);
    }
}
