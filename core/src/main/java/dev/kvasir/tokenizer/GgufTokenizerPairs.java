package dev.kvasir.tokenizer;

import dev.kvasir.InvalidFileException;
import dev.kvasir.format.JsonFile;
import dev.kvasir.format.gguf.GgufFile;
import dev.kvasir.format.gguf.GgufPairs;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.function.Consumer;
import tools.jackson.databind.JsonNode;

/**
 * Says in GGUF's keys what the {@code tokenizer.json} and {@code tokenizer_config.json} of a model folder say: {@link
 * GgufTokenizer} the other way round.
 *
 * <p>A byte-level BPE whose pre-tokenizer has a name in GGUF is spelled out, as every program wants it. Of any other, the
 * whole {@code tokenizer.json} goes along under {@value GgufVocabulary#WHOLE}, which the specification of GGUF has for
 * programs that know Hugging Face's tokenizers, with the model {@value GgufVocabulary#NO_MODEL}.
 */
public final class GgufTokenizerPairs {
    private static final String CONFIG = "tokenizer_config.json";
    private static final String TEMPLATE = "chat_template.jinja";
    private static final String PREFIX = "tokenizer.ggml.";
    private static final long MAX_BYTES = 128L << 20;
    private static final long MAX_CONFIG_BYTES = 16L << 20;
    private static final Set<String> ENDS_OF_TURNS = Set.of("<|eot_id|>", "<|im_end|>", "<end_of_turn>", "<|end|>");
    private static final String END_OF_MESSAGE = "<|eom_id|>";

    private final Path path;
    private final TokenizerFile file;
    private final JsonNode json;
    private final JsonNode config;
    private final int vocabularySize;

    private GgufTokenizerPairs(Path folder, int vocabularySize) {
        this.vocabularySize = vocabularySize;
        file = TokenizerFile.read(folder, vocabularySize);
        path = file.path();
        json = JsonFile.readObject(path, MAX_BYTES);
        Path settings = folder.resolve(CONFIG);
        config = Files.exists(settings)
                ? JsonFile.readObject(settings, MAX_CONFIG_BYTES)
                : JsonFile.MAPPER.createObjectNode();
    }

    /**
     * The pairs for a model, a folder or a GGUF file, whose embedding has {@code vocabularySize} rows.
     *
     * @param bos id that starts a text, if there is one
     * @param eos ids that end one
     * @param remark is told in one line if GGUF's keys cannot spell the tokenizer out, so that it goes along whole
     * @throws InvalidFileException if a file is malformed
     */
    public static GgufPairs of(
            Path model, int vocabularySize, Optional<Integer> bos, List<Integer> eos, Consumer<String> remark) {
        return Files.isRegularFile(model)
                ? GgufFile.open(model).metadata().pairs("tokenizer.")
                : ofFolder(model, vocabularySize, bos, eos, remark);
    }

    private static GgufPairs ofFolder(
            Path folder, int vocabularySize, Optional<Integer> bos, List<Integer> eos, Consumer<String> remark) {
        GgufTokenizerPairs source = new GgufTokenizerPairs(folder, vocabularySize);
        GgufPairs pairs = source.vocabulary(remark);
        bos.ifPresent(id -> pairs.unsigned(PREFIX + "bos_token_id", id));
        pairs.flag(PREFIX + "add_bos_token", bos.isPresent() && source.startsTexts());
        source.ends(pairs, eos);
        source.template(folder).ifPresent(text -> pairs.text("tokenizer.chat_template", text));
        return pairs;
    }

    private GgufPairs vocabulary(Consumer<String> remark) {
        try {
            return spelledOut();
        } catch (NoKeyException e) {
            remark.accept(path + ": GGUF has no key for " + e.what()
                    + "; the file goes along whole, and programs that read only tokenizer.ggml keys have no tokenizer");
            return whole();
        }
    }

    /** A byte-level BPE in the keys that every program reads. */
    private GgufPairs spelledOut() {
        PreTokenizer cut = preTokenizer();
        requirePlainAddedTokens();
        GgufPairs pairs = new GgufPairs().text(GgufVocabulary.MODEL, "gpt2").text(PREFIX + "pre", name(cut));
        tokens(pairs);
        return pairs.texts(PREFIX + "merges", merges());
    }

    /** The file as it is; the tokens beside it are for what names them by id, such as chat templates. */
    private GgufPairs whole() {
        GgufPairs pairs = new GgufPairs()
                .text(GgufVocabulary.MODEL, GgufVocabulary.NO_MODEL)
                .text(GgufVocabulary.WHOLE, new String(file.json(), StandardCharsets.UTF_8));
        tokens(pairs);
        return pairs;
    }

    /** What GGUF's keys cannot say. */
    private static final class NoKeyException extends RuntimeException {
        private static final long serialVersionUID = 1L;

        private final String what;

        NoKeyException(String what) {
            super(what);
            this.what = what;
        }

        String what() {
            return what;
        }
    }

    private static NoKeyException unsupported(String what) {
        return new NoKeyException(what);
    }

    /** The pre-tokenizer that cuts, composes and merges as this file says. */
    private PreTokenizer preTokenizer() {
        JsonNode model = json.path("model");
        if (!model.path("type").asString("BPE").equals("BPE")
                || !json.path("decoder").path("type").asString("").equals("ByteLevel")) {
            throw unsupported("a tokenizer that is no byte-level BPE");
        }
        for (String affix : List.of("continuing_subword_prefix", "end_of_word_suffix")) {
            if (!model.path(affix).asString("").isEmpty()) {
                throw unsupported("model." + affix + " " + JsonFile.describe(model.path(affix)));
            }
        }
        boolean wholePieces = model.path("ignore_merges").asBoolean(false);
        String normalizer = json.path("normalizer").path("type").asString("");
        if (!normalizer.isEmpty() && !normalizer.equals("NFC")) {
            throw unsupported("the normalizer "
                    + JsonFile.describe(json.path("normalizer").path("type")));
        }
        List<String> patterns = new ArrayList<>();
        patterns(json.path("pre_tokenizer"), patterns);
        for (PreTokenizer known : PreTokenizer.values()) {
            if (known.patterns().toList().equals(patterns)
                    && known.wholePieces() == wholePieces
                    && known.composed() == normalizer.equals("NFC")) {
                return known;
            }
        }
        throw unsupported("the expressions of its pre-tokenizer");
    }

    /** The regular expressions by which a step of the pre-tokenizer cuts, one after the other. */
    private void patterns(JsonNode step, List<String> patterns) {
        switch (step.path("type").asString("")) {
            case "Sequence" -> step.path("pretokenizers").forEach(part -> patterns(part, patterns));
            case "Split" -> {
                boolean isolated = step.path("behavior").asString("").equals("Isolated");
                if (!isolated
                        || step.path("invert").asBoolean(false)
                        || !step.path("pattern").has("Regex")) {
                    throw unsupported("a pre-tokenizer that splits otherwise than around matches of an expression");
                }
                patterns.add(step.path("pattern").path("Regex").asString(""));
            }
            case "Digits" -> {
                if (!step.path("individual_digits").asBoolean(false)) {
                    throw unsupported("a pre-tokenizer that keeps digits together");
                }
                patterns.add("\\p{N}");
            }
            case "ByteLevel" -> {
                if (step.path("add_prefix_space").asBoolean(true)) {
                    throw unsupported("a pre-tokenizer that puts a blank before a text");
                }
                if (step.path("use_regex").asBoolean(true)) {
                    PreTokenizer.GPT2.patterns().forEach(patterns::add);
                }
            }
            default -> throw unsupported("the pre-tokenizer " + JsonFile.describe(step.path("type")));
        }
    }

    private static String name(PreTokenizer cut) {
        return switch (cut) {
            case GPT2 -> "gpt-2";
            case DIGITS -> "smollm";
            case LLAMA3 -> "llama-bpe";
            case LLAMA3_MERGED -> "dbrx";
            case QWEN2 -> "qwen2";
            case TEKKEN -> "tekken";
        };
    }

    private void requirePlainAddedTokens() {
        for (JsonNode token : json.path("added_tokens")) {
            for (String flag : List.of("single_word", "lstrip", "rstrip")) {
                if (token.path(flag).asBoolean(false)) {
                    throw unsupported("the added token " + JsonFile.describe(token.path("content")) + " with " + flag);
                }
            }
        }
    }

    /** One token for each row of the embedding: rows without one are filled up. */
    private void tokens(GgufPairs pairs) {
        Set<String> added = new HashSet<>();
        for (JsonNode token : json.path("added_tokens")) {
            added.add(token.path("content").asString(""));
        }
        List<String> tokens = new ArrayList<>();
        int[] kinds = new int[vocabularySize];
        for (int id = 0; id < vocabularySize; id++) {
            Optional<String> token = file.token(id);
            tokens.add(token.orElse("[PAD" + id + "]"));
            kinds[id] = kind(id, token, added).number();
        }
        pairs.texts(GgufVocabulary.TOKENS, tokens).integers(GgufVocabulary.KINDS, kinds);
    }

    private GgufVocabulary.Kind kind(int id, Optional<String> token, Set<String> added) {
        if (token.isEmpty()) {
            return GgufVocabulary.Kind.UNUSED;
        }
        if (file.isSpecial(id)) {
            return GgufVocabulary.Kind.CONTROL;
        }
        return added.contains(token.get()) ? GgufVocabulary.Kind.USER_DEFINED : GgufVocabulary.Kind.NORMAL;
    }

    /** Two tokens with a blank between, as old files have them; newer ones have a list of two. */
    private List<String> merges() {
        List<String> merges = new ArrayList<>();
        for (JsonNode merge : json.path("model").path("merges")) {
            String left = merge.path(0).asString("");
            String right = merge.path(1).asString("");
            String text = merge.isString() ? merge.stringValue() : left + " " + right;
            int blank = text.indexOf(' ');
            if (blank <= 0 || blank == text.length() - 1 || text.indexOf(' ', blank + 1) >= 0) {
                throw new InvalidFileException(
                        path, "model.merges must hold two tokens without blanks, found " + JsonFile.describe(merge));
            }
            merges.add(text);
        }
        return merges;
    }

    /** Whether texts get the first token: as said, else unless the configuration says that there is none. */
    private boolean startsTexts() {
        JsonNode said = config.path("add_bos_token");
        return said.isBoolean()
                ? said.booleanValue()
                : !config.has("bos_token") || !config.path("bos_token").isNull();
    }

    /** Each id under the key that its token's name asks for; of several for one key the first. */
    private void ends(GgufPairs pairs, List<Integer> eos) {
        Set<String> written = new HashSet<>();
        for (int id : eos) {
            String token = file.token(id).orElse("");
            String key = ENDS_OF_TURNS.contains(token) ? "eot" : token.equals(END_OF_MESSAGE) ? "eom" : "eos";
            if (written.add(key)) {
                pairs.unsigned(PREFIX + key + "_token_id", id);
            }
        }
        // Other programs want one under this key.
        if (!eos.isEmpty() && written.add("eos")) {
            pairs.unsigned(PREFIX + "eos_token_id", eos.getFirst());
        }
    }

    private Optional<String> template(Path folder) {
        Path separate = folder.resolve(TEMPLATE);
        if (Files.isRegularFile(separate)) {
            return Optional.of(new String(JsonFile.readBytes(separate, MAX_CONFIG_BYTES), StandardCharsets.UTF_8));
        }
        JsonNode said = config.path("chat_template");
        if (said.isString()) {
            return Optional.of(said.stringValue());
        }
        for (JsonNode named : said) {
            if (named.path("name").asString("").equals("default")
                    && named.path("template").isString()) {
                return Optional.of(named.path("template").stringValue());
            }
        }
        return Optional.empty();
    }
}
