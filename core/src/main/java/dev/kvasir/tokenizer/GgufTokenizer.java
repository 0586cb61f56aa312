package dev.kvasir.tokenizer;

import dev.kvasir.format.JsonFile;
import dev.kvasir.format.gguf.GgufMetadata;
import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import tools.jackson.core.JsonGenerator;

/**
 * The {@code tokenizer.json} that says what a GGUF file's metadata says, made in memory and then opened like a file.
 *
 * <p>{@code tokenizer.ggml.model} is {@code gpt2}, a byte-level BPE with its merges, or {@code llama}, a SentencePiece BPE
 * whose merges follow from its scores; or {@code none}, and {@value GgufVocabulary#WHOLE} holds the file.
 */
final class GgufTokenizer {
    private static final String SPACE = "\u2581";

    private GgufTokenizer() {}

    /** The file's content for a model whose embedding has {@code vocabularySize} rows. */
    static byte[] json(GgufMetadata metadata, int vocabularySize) {
        String model = metadata.requiredText(GgufVocabulary.MODEL);
        if (model.equals(GgufVocabulary.NO_MODEL) && metadata.has(GgufVocabulary.WHOLE)) {
            return metadata.requiredText(GgufVocabulary.WHOLE).getBytes(StandardCharsets.UTF_8);
        }
        boolean sentencePiece = model.equals("llama");
        if (!sentencePiece && !model.equals("gpt2")) {
            throw metadata.problem(
                    GgufVocabulary.MODEL,
                    "must be gpt2 (byte-level BPE), llama (SentencePiece BPE), or none beside " + GgufVocabulary.WHOLE
                            + ", found " + quoted(model));
        }
        GgufVocabulary vocabulary = GgufVocabulary.read(metadata, vocabularySize);
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        try (JsonGenerator out = JsonFile.MAPPER.createGenerator(bytes)) {
            out.writeStartObject();
            out.writeStringProperty("version", "1.0");
            added(out, vocabulary);
            if (sentencePiece) {
                sentencePiece(out, vocabulary);
            } else {
                byteLevel(out, vocabulary);
            }
            out.writeEndObject();
        }
        return bytes.toByteArray();
    }

    /** Tokens that are found in a text as they are spelled; all of them are in the vocabulary too. */
    private static void added(JsonGenerator out, GgufVocabulary vocabulary) {
        out.writeArrayPropertyStart("added_tokens");
        for (int id = 0; id < vocabulary.size(); id++) {
            if (vocabulary.isAdded(id)) {
                boolean special = vocabulary.kinds().get(id) == GgufVocabulary.Kind.CONTROL;
                out.writePOJO(Map.of(
                        "id",
                        id,
                        "content",
                        vocabulary.tokens().get(id),
                        "single_word",
                        false,
                        "lstrip",
                        false,
                        "rstrip",
                        false,
                        "normalized",
                        false,
                        "special",
                        special));
            }
        }
        out.writeEndArray();
    }

    private static void byteLevel(JsonGenerator out, GgufVocabulary vocabulary) {
        String name = vocabulary.metadata().text("tokenizer.ggml.pre").orElse("default");
        PreTokenizer cut = PreTokenizer.named(name)
                .orElseThrow(() -> vocabulary
                        .metadata()
                        .problem(
                                "tokenizer.ggml.pre",
                                "must be one of " + PreTokenizer.allNames() + ", found " + quoted(name)));
        if (cut.composed()) {
            property(out, "normalizer", Map.of("type", "NFC"));
        }
        List<Object> cuts = new ArrayList<>();
        cut.patterns()
                .forEach(pattern -> cuts.add(Map.of(
                        "type",
                        "Split",
                        "pattern",
                        Map.of("Regex", pattern),
                        "behavior",
                        "Isolated",
                        "invert",
                        false)));
        Map<String, Object> bytes =
                Map.of("type", "ByteLevel", "add_prefix_space", false, "trim_offsets", false, "use_regex", false);
        cuts.add(bytes);
        property(out, "pre_tokenizer", Map.of("type", "Sequence", "pretokenizers", cuts));
        property(out, "decoder", bytes);
        out.writeObjectPropertyStart("model");
        out.writeStringProperty("type", "BPE");
        out.writeBooleanProperty("ignore_merges", cut.wholePieces());
        // Fill-up tokens are no part of a text; a tokenizer.json has none.
        int[] ids = IntStream.range(0, vocabulary.size())
                .filter(id -> vocabulary.kinds().get(id) != GgufVocabulary.Kind.UNUSED)
                .toArray();
        vocabulary(out, vocabulary, ids);
        out.writeArrayPropertyStart("merges");
        for (String merge : vocabulary
                .metadata()
                .texts("tokenizer.ggml.merges")
                .orElseThrow(() -> vocabulary.metadata().missing("tokenizer.ggml.merges"))) {
            int blank = merge.indexOf(' ', 1);
            if (blank < 0 || blank == merge.length() - 1) {
                throw vocabulary
                        .metadata()
                        .problem(
                                "tokenizer.ggml.merges",
                                "must hold two tokens with a blank between them, found " + quoted(merge));
            }
            merge(out, merge.substring(0, blank), merge.substring(blank + 1));
        }
        out.writeEndArray();
        out.writeEndObject();
    }

    /** As Hugging Face's own conversion of Llama's SentencePiece model: no pre-tokenizer, blanks are characters. */
    private static void sentencePiece(JsonGenerator out, GgufVocabulary vocabulary) {
        GgufMetadata metadata = vocabulary.metadata();
        if (metadata.flag("tokenizer.ggml.remove_extra_whitespaces", false)) {
            throw metadata.problem("tokenizer.ggml.remove_extra_whitespaces", "must be false, found true");
        }
        boolean prefix = metadata.flag("tokenizer.ggml.add_space_prefix", true);
        List<Object> normalizers = new ArrayList<>();
        List<Object> decoders = new ArrayList<>();
        if (prefix) {
            normalizers.add(Map.of("type", "Prepend", "prepend", SPACE));
        }
        normalizers.add(replace(" ", SPACE));
        decoders.add(replace(SPACE, " "));
        decoders.add(Map.of("type", "ByteFallback"));
        decoders.add(Map.of("type", "Fuse"));
        if (prefix) {
            decoders.add(Map.of("type", "Strip", "content", " ", "start", 1, "stop", 0));
        }
        property(out, "normalizer", Map.of("type", "Sequence", "normalizers", normalizers));
        property(out, "decoder", Map.of("type", "Sequence", "decoders", decoders));
        out.writeObjectPropertyStart("model");
        out.writeStringProperty("type", "BPE");
        out.writeBooleanProperty("byte_fallback", true);
        out.writeBooleanProperty("fuse_unk", true);
        int unknown = vocabulary.kinds().indexOf(GgufVocabulary.Kind.UNKNOWN);
        if (unknown >= 0) {
            out.writeStringProperty("unk_token", vocabulary.tokens().get(unknown));
        }
        vocabulary(out, vocabulary, IntStream.range(0, vocabulary.size()).toArray());
        out.writeArrayPropertyStart("merges");
        for (ScoredMerges.Merge merge : ScoredMerges.of(vocabulary)) {
            merge(out, merge.left(), merge.right());
        }
        out.writeEndArray();
        out.writeEndObject();
    }

    private static void vocabulary(JsonGenerator out, GgufVocabulary vocabulary, int[] ids) {
        out.writeObjectPropertyStart("vocab");
        for (int id : ids) {
            out.writeNumberProperty(vocabulary.tokens().get(id), id);
        }
        out.writeEndObject();
    }

    private static void merge(JsonGenerator out, String left, String right) {
        out.writeStartArray();
        out.writeString(left);
        out.writeString(right);
        out.writeEndArray();
    }

    private static Map<String, Object> replace(String pattern, String content) {
        return Map.of("type", "Replace", "pattern", Map.of("String", pattern), "content", content);
    }

    private static void property(JsonGenerator out, String name, Object value) {
        out.writeName(name);
        out.writePOJO(value);
    }

    /** At most 40 printable characters of what was found. */
    private static String quoted(String found) {
        return found.codePoints()
                .limit(40)
                .mapToObj(c -> Character.isISOControl(c) ? "?" : Character.toString(c))
                .collect(Collectors.joining("", "\"", "\""));
    }
}
