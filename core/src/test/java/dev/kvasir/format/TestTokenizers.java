package dev.kvasir.format;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/** Tokenizer files of the kinds that Llama models come with, small enough to be made in a test. */
public final class TestTokenizers {
    private TestTokenizers() {}

    /** Writes {@code tokenizer.json}. */
    public static void write(Path folder, ObjectNode tokenizer) throws IOException {
        Files.createDirectories(folder);
        Files.writeString(folder.resolve("tokenizer.json"), JsonFile.MAPPER.writeValueAsString(tokenizer));
    }

    /** Byte-level BPE: ids 0 to 2 are special, 3 to 258 the bytes, then a few merges; 265 ids. */
    public static ObjectNode byteLevel() {
        ObjectNode root = root();
        ObjectNode vocabulary = JsonFile.MAPPER.createObjectNode();
        List<String> specials = List.of("<unk>", "<s>", "</s>");
        specials.forEach(s -> vocabulary.put(s, vocabulary.size()));
        int next = 256;
        for (int b = 0; b < 256; b++) {
            boolean printable = (b > ' ' && b < 0x7f) || (b > 0xa0 && b != 0xad);
            vocabulary.put(String.valueOf((char) (printable ? b : next++)), vocabulary.size());
        }
        ArrayNode merges = JsonFile.MAPPER.createArrayNode();
        // Letters, a blank with letters, and the first two bytes of most emoji.
        for (String merge : List.of("t h", "th e", "\u0120 the", "i n", "\u00f0 \u0141", "e r")) {
            merges.add(merge);
            vocabulary.put(merge.replace(" ", ""), vocabulary.size());
        }
        ObjectNode model = root.putObject("model");
        model.put("type", "BPE");
        model.set("vocab", vocabulary);
        model.set("merges", merges);
        added(root, specials);
        byteLevelPart(root.putObject("pre_tokenizer"));
        byteLevelPart(root.putObject("decoder"));
        return root;
    }

    private static void byteLevelPart(ObjectNode part) {
        part.put("type", "ByteLevel");
        part.put("add_prefix_space", false);
        part.put("trim_offsets", false);
        part.put("use_regex", true);
    }

    /** Unigram as Llama 2 decodes it: blanks as U+2581, bytes as {@code <0x00>}, a leading blank stripped; 277 ids. */
    public static ObjectNode unigram() {
        ObjectNode root = root();
        List<String> specials = List.of("<unk>", "<s>", "</s>");
        ObjectNode model = root.putObject("model");
        model.put("type", "Unigram");
        model.put("unk_id", 0);
        model.put("byte_fallback", true);
        ArrayNode vocabulary = model.putArray("vocab");
        specials.forEach(s -> vocabulary.addArray().add(s).add(0.0));
        for (int b = 0; b < 256; b++) {
            vocabulary.addArray().add("<0x%02X>".formatted(b)).add(-20.0);
        }
        for (String piece : "\u2581 \u2581the \u2581\u2581 a b e h i n t in er th \u00e9 \u65e5 \ud83d\ude00 \u2581x x"
                .split(" ", -1)) {
            vocabulary.addArray().add(piece).add(-2.0 - vocabulary.size() / 100.0);
        }
        added(root, specials);
        ObjectNode normalizer = root.putObject("normalizer");
        normalizer.put("type", "Sequence");
        ArrayNode normalizers = normalizer.putArray("normalizers");
        normalizers.addObject().put("type", "Prepend").put("prepend", "\u2581");
        replace(normalizers.addObject(), " ", "\u2581");
        ObjectNode decoder = root.putObject("decoder");
        decoder.put("type", "Sequence");
        ArrayNode decoders = decoder.putArray("decoders");
        replace(decoders.addObject(), "\u2581", " ");
        decoders.addObject().put("type", "ByteFallback");
        decoders.addObject().put("type", "Fuse");
        decoders.addObject()
                .put("type", "Strip")
                .put("content", " ")
                .put("start", 1)
                .put("stop", 0);
        return root;
    }

    /** As {@link #unigram}, with SentencePiece's own pre-tokenizer and decoder. */
    public static ObjectNode metaspace() {
        ObjectNode root = unigram();
        root.remove("normalizer");
        for (String part : List.of("pre_tokenizer", "decoder")) {
            root.putObject(part)
                    .put("type", "Metaspace")
                    .put("replacement", "\u2581")
                    .put("prepend_scheme", "always")
                    .put("split", true);
        }
        return root;
    }

    /** As {@link #unigram}, without a decoder: the library then puts blanks between tokens. */
    public static ObjectNode withoutDecoder() {
        ObjectNode root = unigram();
        root.putNull("decoder");
        return root;
    }

    private static void replace(ObjectNode node, String pattern, String content) {
        node.put("type", "Replace");
        node.putObject("pattern").put("String", pattern);
        node.put("content", content);
    }

    private static ObjectNode root() {
        ObjectNode root = JsonFile.MAPPER.createObjectNode();
        root.put("version", "1.0");
        root.putNull("truncation");
        root.putNull("padding");
        return root;
    }

    private static void added(ObjectNode root, List<String> specials) {
        ArrayNode added = root.putArray("added_tokens");
        for (int i = 0; i < specials.size(); i++) {
            addToken(added, i, specials.get(i), true);
        }
    }

    /** Appends an added token. */
    public static void addToken(ArrayNode added, int id, String content, boolean special) {
        added.addObject()
                .put("id", id)
                .put("content", content)
                .put("single_word", false)
                .put("lstrip", false)
                .put("rstrip", false)
                .put("normalized", false)
                .put("special", special);
    }
}
