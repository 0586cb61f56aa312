package dev.kvasir.train.tokenizer;

import dev.kvasir.InvalidInputException;
import java.util.HashSet;
import java.util.List;

/**
 * What tokenizer to train.
 *
 * @param algorithm how the vocabulary is learnt
 * @param vocabularySize ids in all: the 256 bytes, the learnt pieces and the special tokens
 * @param specialTokens begin of text, end of text, padding, then any others; they take the last ids
 * @param modelMaxLength context length written to {@code tokenizer_config.json}, in tokens
 */
public record TokenizerOptions(
        Algorithm algorithm, int vocabularySize, List<String> specialTokens, int modelMaxLength) {
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
        check("model max length", modelMaxLength, 1, Integer.MAX_VALUE);
    }

    /** Byte-pair encoding with {@code vocabularySize} ids. */
    public static TokenizerOptions bpe(int vocabularySize) {
        return new TokenizerOptions(Algorithm.BPE, vocabularySize, DEFAULT_SPECIAL_TOKENS, 2048);
    }

    /** The pieces to learn, bytes included, special tokens not. */
    public int pieces() {
        return vocabularySize - specialTokens.size();
    }

    private static void check(String option, int value, int least, int most) {
        if (value < least || value > most) {
            throw new InvalidInputException(option + ": " + value + " given, allowed is " + least + " to " + most);
        }
    }
}
