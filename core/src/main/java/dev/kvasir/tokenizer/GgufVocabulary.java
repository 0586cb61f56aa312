package dev.kvasir.tokenizer;

import dev.kvasir.format.gguf.GgufMetadata;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;

/**
 * The tokens that a GGUF file's metadata holds, each with its kind, checked against the model's size.
 *
 * @param metadata where they are from, for what only one kind of tokenizer needs
 * @param tokens each token as the vocabulary spells it; the place is the id
 * @param kinds of the tokens, {@code [tokens]}
 */
record GgufVocabulary(GgufMetadata metadata, List<String> tokens, List<Kind> kinds) {
    static final String MODEL = "tokenizer.ggml.model";
    /** A {@code tokenizer.json} as it is. */
    static final String WHOLE = "tokenizer.huggingface.json";
    /** What {@value #MODEL} says of a vocabulary that the keys do not spell out. */
    static final String NO_MODEL = "none";

    static final String TOKENS = "tokenizer.ggml.tokens";
    static final String KINDS = "tokenizer.ggml.token_type";

    /** What a token is, with its number in {@value #KINDS}: the numbers are those of their places. */
    enum Kind {
        UNDEFINED(0),
        NORMAL(1),
        UNKNOWN(2),
        /** Stands for no text: decoding leaves it out. */
        CONTROL(3),
        /** Found in a text before anything else is. */
        USER_DEFINED(4),
        /** Fills up the vocabulary. */
        UNUSED(5),
        /** {@code <0x00>} to {@code <0xFF>}. */
        BYTE(6);

        private static final List<Kind> ALL = List.copyOf(Arrays.asList(values()));

        private final int number;

        Kind(int number) {
            this.number = number;
        }

        int number() {
            return number;
        }
    }

    /** The vocabulary of a model whose embedding has {@code vocabularySize} rows. */
    static GgufVocabulary read(GgufMetadata metadata, int vocabularySize) {
        int count = metadata.count(TOKENS);
        if (count < 1 || count > vocabularySize) {
            throw metadata.problem(
                    TOKENS, "must have 1 to " + vocabularySize + " tokens, as the model has ids, found " + count);
        }
        List<String> tokens = metadata.texts(TOKENS).orElseThrow(() -> metadata.missing(TOKENS));
        Optional<int[]> numbers = metadata.integers(KINDS, 0, Kind.ALL.size() - 1);
        numbers.ifPresent(n -> requireCount(metadata, KINDS, n.length, count));
        List<Kind> kinds = numbers.map(
                        n -> Arrays.stream(n).mapToObj(Kind.ALL::get).toList())
                .orElseGet(() -> tokens.stream().map(t -> Kind.NORMAL).toList());
        return new GgufVocabulary(metadata, tokens, kinds);
    }

    /** Checks that an array beside the tokens has one value for each. */
    static void requireCount(GgufMetadata metadata, String key, int found, int tokens) {
        if (found != tokens) {
            throw metadata.problem(key, "must have " + tokens + " values, one for each token, found " + found);
        }
    }

    /** Number of tokens. */
    int size() {
        return tokens.size();
    }

    /** Whether a text's spelling of this token is the token, before any merging. */
    boolean isAdded(int id) {
        Kind kind = kinds.get(id);
        return (kind == Kind.CONTROL || kind == Kind.USER_DEFINED)
                && !tokens.get(id).isEmpty();
    }
}
