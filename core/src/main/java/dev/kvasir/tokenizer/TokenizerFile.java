package dev.kvasir.tokenizer;

import dev.kvasir.InvalidFileException;
import dev.kvasir.format.JsonFile;
import java.nio.file.Path;
import java.util.BitSet;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.core.JsonParser;
import tools.jackson.core.JsonToken;
import tools.jackson.databind.DeserializationFeature;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.ObjectReader;

/**
 * What Kvasir itself must know of a {@code tokenizer.json}: its tokens, which of them are special, how they become text.
 *
 * <p>The native library does not tell a vocabulary's size and numbers added tokens as it likes, so both are read here and
 * checked before it sees the file.
 */
final class TokenizerFile {
    static final String NAME = "tokenizer.json";

    /** Reads one value of many. */
    private static final ObjectReader PART =
            JsonFile.MAPPER.reader().without(DeserializationFeature.FAIL_ON_TRAILING_TOKENS);

    private static final long MAX_BYTES = 128L << 20;

    private final Path path;
    private final int vocabularySize;
    private final byte[] json;
    private final Map<String, Integer> ids = new HashMap<>();
    private final @Nullable String[] tokens;
    private final BitSet special = new BitSet();
    private int modelTokens;
    private int highestAdded = -1;
    private JsonNode normalizer = JsonFile.MAPPER.nullNode();
    private JsonNode postProcessor = JsonFile.MAPPER.nullNode();
    private JsonNode preTokenizer = JsonFile.MAPPER.nullNode();
    private JsonNode decoder = JsonFile.MAPPER.nullNode();
    private String modelType = "";
    private String subwordPrefix = "";
    private JsonNode added = JsonFile.MAPPER.createArrayNode();

    private TokenizerFile(Path path, byte[] json, int vocabularySize) {
        this.path = path;
        this.vocabularySize = vocabularySize;
        this.json = json;
        this.tokens = new @Nullable String[vocabularySize];
    }

    /** Reads {@code folder/tokenizer.json}, whose ids must all be below {@code vocabularySize}. */
    static TokenizerFile read(Path folder, int vocabularySize) {
        Path path = folder.resolve(NAME);
        return of(path, JsonFile.readBytes(path, MAX_BYTES), vocabularySize);
    }

    /** Checks {@code json}, which {@code path} holds or stands for. */
    static TokenizerFile of(Path path, byte[] json, int vocabularySize) {
        TokenizerFile file = new TokenizerFile(path, json, vocabularySize);
        try (JsonParser parser = JsonFile.MAPPER.createParser(file.json)) {
            file.parse(parser);
        } catch (JacksonException e) {
            throw JsonFile.malformed(path, "file", e);
        }
        if (file.modelTokens == 0) {
            throw new InvalidFileException(path, "model.vocab is missing or empty");
        }
        if (!file.subwordPrefix.isEmpty() && !file.modelType.equals("WordPiece")) {
            // The library cuts its length off the second part of every merge, whatever that is.
            throw new InvalidFileException(
                    path, "model.continuing_subword_prefix must be empty, found " + quote(file.subwordPrefix));
        }
        PipelineCheck.check(
                path, new PipelineCheck.Parts(file.normalizer, file.preTokenizer, file.postProcessor, file.decoder));
        file.added.forEach(file::addToken);
        return file;
    }

    /** The file itself. */
    Path path() {
        return path;
    }

    /** The bytes that were checked. */
    byte[] json() {
        return json;
    }

    /** The token of {@code id} as the vocabulary spells it; empty if it has none. */
    Optional<String> token(int id) {
        return id < 0 || id >= tokens.length ? Optional.empty() : Optional.ofNullable(tokens[id]);
    }

    /** The id of a token spelled so; empty if there is none. */
    Optional<Integer> id(String token) {
        return Optional.ofNullable(ids.get(token));
    }

    /** Whether decoding leaves {@code id} out. */
    boolean isSpecial(int id) {
        return id >= 0 && special.get(id);
    }

    /** The {@code decoder} part; a null node if there is none. */
    JsonNode decoder() {
        return decoder;
    }

    private void parse(JsonParser parser) {
        if (parser.nextToken() != JsonToken.START_OBJECT) {
            throw new InvalidFileException(path, "must hold a JSON object");
        }
        while (parser.nextToken() == JsonToken.PROPERTY_NAME) {
            String name = parser.currentName();
            JsonToken value = parser.nextToken();
            switch (name) {
                case "normalizer" -> normalizer = PART.readTree(parser);
                case "post_processor" -> postProcessor = PART.readTree(parser);
                case "pre_tokenizer" -> preTokenizer = PART.readTree(parser);
                case "decoder" -> decoder = PART.readTree(parser);
                case "added_tokens" -> added = PART.readTree(parser);
                case "model" -> {
                    if (value != JsonToken.START_OBJECT) {
                        throw new InvalidFileException(path, "model must be an object");
                    }
                    parseModel(parser);
                }
                default -> parser.skipChildren();
            }
        }
        if (parser.nextToken() != null) {
            throw new InvalidFileException(path, "has more after the end of its JSON object");
        }
    }

    private void parseModel(JsonParser parser) {
        while (parser.nextToken() == JsonToken.PROPERTY_NAME) {
            String name = parser.currentName();
            JsonToken value = parser.nextToken();
            if (name.equals("type") && value == JsonToken.VALUE_STRING) {
                modelType = parser.getString();
            } else if (name.equals("continuing_subword_prefix") && value == JsonToken.VALUE_STRING) {
                subwordPrefix = parser.getString();
            } else if (!name.equals("vocab")) {
                parser.skipChildren();
            } else if (value == JsonToken.START_OBJECT) {
                parseVocabularyObject(parser);
            } else if (value == JsonToken.START_ARRAY) {
                parseVocabularyList(parser);
            } else {
                throw new InvalidFileException(path, "model.vocab must be an object or a list");
            }
        }
    }

    /** BPE, WordPiece and WordLevel: {@code {"token": id}}. */
    private void parseVocabularyObject(JsonParser parser) {
        while (parser.nextToken() == JsonToken.PROPERTY_NAME) {
            String token = parser.currentName();
            if (parser.nextToken() != JsonToken.VALUE_NUMBER_INT) {
                throw new InvalidFileException(path, "model.vocab: the id of " + quote(token) + " must be an integer");
            }
            long id = parser.getNumberType() == JsonParser.NumberType.BIG_INTEGER ? -1 : parser.getLongValue();
            put(token, id);
            modelTokens++;
        }
    }

    /** Unigram: {@code [["token", score]]}, the id is the place in the list. */
    private void parseVocabularyList(JsonParser parser) {
        while (parser.nextToken() == JsonToken.START_ARRAY) {
            if (parser.nextToken() != JsonToken.VALUE_STRING) {
                throw new InvalidFileException(
                        path, "model.vocab: entry " + modelTokens + " must be a list of token and score");
            }
            put(parser.getString(), modelTokens++);
            while (parser.nextToken() != JsonToken.END_ARRAY) {
                parser.skipChildren();
            }
        }
        if (parser.currentToken() != JsonToken.END_ARRAY) {
            throw new InvalidFileException(
                    path, "model.vocab: entry " + modelTokens + " must be a list of token and score");
        }
    }

    /**
     * Adds one of {@code added_tokens}. The library ignores the id in the file: a token of the vocabulary keeps its id, any
     * other gets the next one after the vocabulary's size and all added tokens. Where that is another id than the file's, text
     * would become wrong ids without a word, so it is refused.
     */
    private void addToken(JsonNode node) {
        JsonNode content = node.path("content");
        if (!content.isString() || !node.path("id").isIntegralNumber()) {
            throw new InvalidFileException(
                    path, "added_tokens must hold objects with id and content, found " + JsonFile.describe(node));
        }
        String token = content.stringValue();
        if (token.isEmpty()) {
            return;
        }
        Integer known = ids.get(token);
        int id = known == null ? nextAdded() : known;
        if (!node.path("id").canConvertToInt() || node.path("id").intValue() != id) {
            throw new InvalidFileException(
                    path,
                    "added_tokens: " + quote(token) + " has id " + node.path("id") + ", by its place it must be " + id);
        }
        if (known == null) {
            put(token, id);
        }
        highestAdded = Math.max(highestAdded, id);
        if (node.path("special").asBoolean(false)) {
            special.set(id);
        }
    }

    private int nextAdded() {
        return highestAdded >= modelTokens ? highestAdded + 1 : modelTokens;
    }

    private void put(String token, long id) {
        if (id < 0 || id >= vocabularySize) {
            throw new InvalidFileException(
                    path,
                    "token " + quote(token) + " has id " + id + ", the model has ids 0 to " + (vocabularySize - 1)
                            + ": the tokenizer does not match the model");
        }
        String other = tokens[(int) id];
        if (other != null) {
            throw new InvalidFileException(
                    path, "tokens " + quote(other) + " and " + quote(token) + " have the same id " + id);
        }
        tokens[(int) id] = token;
        ids.putIfAbsent(token, (int) id);
    }

    private static String quote(String token) {
        String shown = token.length() <= 40 ? token : token.substring(0, 40) + "...";
        return '"' + shown.replaceAll("\\p{Cntrl}", "?") + '"';
    }
}
