package dev.kvasir.train.tokenizer;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.SerializationFeature;
import tools.jackson.databind.json.JsonMapper;

/** Renders a trained model as the {@code tokenizer.json} and {@code tokenizer_config.json} of Hugging Face tokenizers. */
final class TokenizerJson {
    private static final JsonMapper JSON =
            JsonMapper.builder().enable(SerializationFeature.INDENT_OUTPUT).build();

    private TokenizerJson() {}

    /** The text of {@code tokenizer.json}; the special tokens take the ids after the model's pieces. */
    static String tokenizer(SubwordModel model, List<String> specialTokens) {
        List<Object> added = new ArrayList<>();
        for (int i = 0; i < specialTokens.size(); i++) {
            added.add(addedToken(specialTokens.get(i), model.pieces().size() + i));
        }
        Map<String, @Nullable Object> root = new LinkedHashMap<>();
        root.put("version", "1.0");
        root.put("truncation", null);
        root.put("padding", null);
        root.put("added_tokens", added);
        root.put("normalizer", null);
        root.put(
                "pre_tokenizer",
                object(
                        "type",
                        "Sequence",
                        "pretokenizers",
                        List.of(
                                object(
                                        "type",
                                        "Split",
                                        "pattern",
                                        Map.of("Regex", PreTokenizer.EXPRESSION),
                                        "behavior",
                                        "Isolated",
                                        "invert",
                                        false),
                                byteLevel())));
        root.put("post_processor", null);
        root.put("decoder", byteLevel());
        root.put(
                "model",
                switch (model) {
                    case BpeModel bpe -> bpe(bpe);
                    case UnigramModel unigram -> unigram(unigram);
                });
        return JSON.writeValueAsString(root);
    }

    /** The text of {@code tokenizer_config.json}. */
    static String config(TokenizerOptions options) {
        List<String> special = options.specialTokens();
        return JSON.writeValueAsString(object(
                "tokenizer_class",
                "PreTrainedTokenizerFast",
                "bos_token",
                special.get(0),
                "eos_token",
                special.get(1),
                "pad_token",
                special.get(2),
                "model_max_length",
                options.modelMaxLength(),
                "clean_up_tokenization_spaces",
                false));
    }

    private static Map<String, @Nullable Object> addedToken(String content, int id) {
        return object(
                "id",
                id,
                "content",
                content,
                "single_word",
                false,
                "lstrip",
                false,
                "rstrip",
                false,
                "normalized",
                false,
                "special",
                true);
    }

    private static Map<String, @Nullable Object> byteLevel() {
        return object("type", "ByteLevel", "add_prefix_space", false, "trim_offsets", false, "use_regex", false);
    }

    private static Map<String, @Nullable Object> bpe(BpeModel model) {
        List<String> pieces = model.pieces();
        List<List<String>> merges = new ArrayList<>();
        for (BpeModel.Merge merge : model.merges()) {
            merges.add(List.of(pieces.get(merge.left()), pieces.get(merge.right())));
        }
        Map<String, Integer> vocabulary = new LinkedHashMap<>();
        for (int id = 0; id < pieces.size(); id++) {
            vocabulary.put(pieces.get(id), id);
        }
        Map<String, @Nullable Object> json = object("type", "BPE", "byte_fallback", false, "ignore_merges", false);
        json.put("vocab", vocabulary);
        json.put("merges", merges);
        return json;
    }

    /** All bytes are pieces, so the unknown piece, which the format demands, is never used. */
    private static Map<String, @Nullable Object> unigram(UnigramModel model) {
        List<List<Object>> vocabulary = new ArrayList<>();
        for (int id = 0; id < model.pieces().size(); id++) {
            vocabulary.add(List.of(model.pieces().get(id), model.score(id)));
        }
        Map<String, @Nullable Object> json = object("type", "Unigram", "unk_id", 0, "byte_fallback", false);
        json.put("vocab", vocabulary);
        return json;
    }

    private static Map<String, @Nullable Object> object(Object... keysAndValues) {
        Map<String, @Nullable Object> object = new LinkedHashMap<>();
        for (int i = 0; i < keysAndValues.length; i += 2) {
            object.put((String) keysAndValues[i], keysAndValues[i + 1]);
        }
        return object;
    }
}
