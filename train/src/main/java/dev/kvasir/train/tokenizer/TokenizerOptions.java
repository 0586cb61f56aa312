package dev.kvasir.train.tokenizer;

import dev.kvasir.InvalidInputException;
import java.util.HashSet;
import java.util.List;

/**
 * What tokenizer to train.
 *
 * @param algorithm how the vocabulary is learnt
 * @param search how {@link Algorithm#SWE} searches; without meaning for {@link Algorithm#BPE}
 * @param vocabularySize ids in all: the 256 bytes, the learnt pieces and the special tokens
 * @param seedFactor {@link Search#EM} starts from this many frequent substrings per piece of the vocabulary, 3 to 10
 * @param dropShare share of its pieces {@link Search#EM} drops a round, 0.1 to 0.2
 * @param maxPieceBytes longest piece of {@link Search#EM} and {@link Search#EXACT}
 * @param specialTokens begin of text, end of text, padding, then any others; they take the last ids
 * @param modelMaxLength context length written to {@code tokenizer_config.json}, in tokens
 */
public record TokenizerOptions(
        Algorithm algorithm,
        Search search,
        int vocabularySize,
        int seedFactor,
        double dropShare,
        int maxPieceBytes,
        List<String> specialTokens,
        int modelMaxLength) {
    /** The special tokens used where none are given. */
    public static final List<String> DEFAULT_SPECIAL_TOKENS =
            List.of("<|begin_of_text|>", "<|end_of_text|>", "<|pad|>");

    /**
     * Copies the list.
     *
     * @throws InvalidInputException when an option is out of range
     */
    public TokenizerOptions {
        specialTokens = List.copyOf(specialTokens);
        if (specialTokens.size() < 3 || specialTokens.contains("")) {
            throw new InvalidInputException("special tokens: " + specialTokens
                    + " given, at least begin of text, end of text and padding are needed, none of them empty");
        }
        if (new HashSet<>(specialTokens).size() != specialTokens.size()) {
            throw new InvalidInputException(
                    "special tokens: " + specialTokens + " repeats one, each must be different");
        }
        int least = ByteAlphabet.SIZE + specialTokens.size();
        check("vocabulary size", vocabularySize, least, 1 << 20);
        check("seed factor", seedFactor, 3, 10);
        check("longest piece", maxPieceBytes, 2, WordCounts.MAX_WORD_BYTES);
        check("model max length", modelMaxLength, 1, Integer.MAX_VALUE);
        if (!(dropShare >= 0.1 && dropShare <= 0.2)) {
            throw new InvalidInputException("drop share: " + dropShare + " given, allowed is 0.1 to 0.2");
        }
    }

    /** Byte-pair encoding with {@code vocabularySize} ids. */
    public static TokenizerOptions bpe(int vocabularySize) {
        return of(Algorithm.BPE, Search.EM, vocabularySize);
    }

    /** Sub-word encoding by likelihood with {@code vocabularySize} ids. */
    public static TokenizerOptions swe(Search search, int vocabularySize) {
        return of(Algorithm.SWE, search, vocabularySize);
    }

    /** These options for another algorithm. */
    public TokenizerOptions with(Algorithm algorithm) {
        return new TokenizerOptions(
                algorithm, search, vocabularySize, seedFactor, dropShare, maxPieceBytes, specialTokens, modelMaxLength);
    }

    /** These options for a model of another context length. */
    public TokenizerOptions withModelMaxLength(int tokens) {
        return new TokenizerOptions(
                algorithm, search, vocabularySize, seedFactor, dropShare, maxPieceBytes, specialTokens, tokens);
    }

    /** The pieces to learn, bytes included, special tokens not. */
    public int pieces() {
        return vocabularySize - specialTokens.size();
    }

    private static TokenizerOptions of(Algorithm algorithm, Search search, int vocabularySize) {
        return new TokenizerOptions(algorithm, search, vocabularySize, 5, 0.1, 16, DEFAULT_SPECIAL_TOKENS, 2048);
    }

    private static void check(String option, int value, int least, int most) {
        if (value < least || value > most) {
            throw new InvalidInputException(option + ": " + value + " given, allowed is " + least + " to " + most);
        }
    }
}
