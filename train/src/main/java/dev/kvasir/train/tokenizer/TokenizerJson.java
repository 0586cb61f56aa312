package dev.kvasir.train.tokenizer;

import java.util.List;
import tools.jackson.databind.SerializationFeature;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/** Renders a trained model as the {@code tokenizer.json} and {@code tokenizer_config.json} of Hugging Face tokenizers. */
final class TokenizerJson {
    private static final JsonMapper JSON =
            JsonMapper.builder().enable(SerializationFeature.INDENT_OUTPUT).build();

    private TokenizerJson() {}

    /** The text of {@code tokenizer.json}; the special tokens take the ids after the model's pieces. */
    static String tokenizer(SubwordModel model, List<String> specialTokens) {
        ObjectNode root = JSON.createObjectNode()
                .put("version", "1.0")
                .putNull("truncation")
                .putNull("padding");
        ArrayNode added = root.putArray("added_tokens");
        for (int i = 0; i < specialTokens.size(); i++) {
            added.add(addedToken(specialTokens.get(i), model.pieces().size() + i));
        }
        root.putNull("normalizer");
        root.set("pre_tokenizer", preTokenizer());
        root.putNull("post_processor");
        root.set("decoder", byteLevel());
        root.set(
                "model",
                switch (model) {
                    case BpeModel bpe -> bpe(bpe);
                    case UnigramModel unigram -> unigram(unigram);
                });
        return JSON.writeValueAsString(root);
    }

    /** The text of {@code tokenizer_config.json}. */
    static String config(TokenizerOptions options) {
        return JSON.writeValueAsString(JSON.createObjectNode()
                .put("tokenizer_class", "PreTrainedTokenizerFast")
                .put("bos_token", options.specialTokens().get(0))
                .put("eos_token", options.specialTokens().get(1))
                .put("pad_token", options.specialTokens().get(2))
                .put("model_max_length", options.modelMaxLength())
                .put("clean_up_tokenization_spaces", false));
    }

    private static ObjectNode addedToken(String content, int id) {
        return JSON.createObjectNode()
                .put("id", id)
                .put("content", content)
                .put("single_word", false)
                .put("lstrip", false)
                .put("rstrip", false)
                .put("normalized", false)
                .put("special", true);
    }

    private static ObjectNode preTokenizer() {
        ObjectNode split = JSON.createObjectNode().put("type", "Split");
        split.putObject("pattern").put("Regex", PreTokenizer.EXPRESSION);
        split.put("behavior", "Isolated").put("invert", false);
        ObjectNode sequence = JSON.createObjectNode().put("type", "Sequence");
        sequence.putArray("pretokenizers").add(split).add(byteLevel());
        return sequence;
    }

    private static ObjectNode byteLevel() {
        return JSON.createObjectNode()
                .put("type", "ByteLevel")
                .put("add_prefix_space", false)
                .put("trim_offsets", false)
                .put("use_regex", false);
    }

    private static ObjectNode bpe(BpeModel model) {
        List<String> pieces = model.pieces();
        ObjectNode json = JSON.createObjectNode()
                .put("type", "BPE")
                .put("byte_fallback", false)
                .put("ignore_merges", false);
        ObjectNode vocabulary = json.putObject("vocab");
        for (int id = 0; id < pieces.size(); id++) {
            vocabulary.put(pieces.get(id), id);
        }
        ArrayNode merges = json.putArray("merges");
        for (BpeModel.Merge merge : model.merges()) {
            merges.addArray().add(pieces.get(merge.left())).add(pieces.get(merge.right()));
        }
        return json;
    }

    /** All bytes are pieces, so the unknown piece, which the format demands, is never used. */
    private static ObjectNode unigram(UnigramModel model) {
        ObjectNode json =
                JSON.createObjectNode().put("type", "Unigram").put("unk_id", 0).put("byte_fallback", false);
        ArrayNode vocabulary = json.putArray("vocab");
        for (int id = 0; id < model.pieces().size(); id++) {
            vocabulary.addArray().add(model.pieces().get(id)).add(model.score(id));
        }
        return json;
    }
}
