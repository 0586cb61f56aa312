package dev.kvasir.tokenizer;

import java.util.Arrays;
import java.util.Optional;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * How a byte-level BPE cuts text before it merges, named as GGUF's {@code tokenizer.ggml.pre} names it.
 *
 * <p>The patterns are those of the models' own {@code tokenizer.json}; a piece is never merged across a cut. Several names
 * may mean the same: converters name a pre-tokenizer after the model in which they met it first.
 */
enum PreTokenizer {
    /** Radford et al., Language Models are Unsupervised Multitask Learners (2019): a number is one piece. */
    GPT2("gpt-2 default phi-2", Patterns.GPT2, false, false),
    /** Digits alone, the rest as GPT-2. */
    DIGITS("smollm starcoder refact codeshell", "\\p{N}\n" + Patterns.GPT2, false, false),
    /** Llama 3: numbers by up to three digits; a piece that is a token is that token, whatever the merges say. */
    LLAMA3("llama-bpe llama3 llama-v3 falcon3 lfm2", Patterns.llama("{1,3}"), true, false),
    /** Cuts as Llama 3 and merges as GPT-2. */
    LLAMA3_MERGED("dbrx smaug-bpe", Patterns.llama("{1,3}"), false, false),
    /** Qwen 2 to 3: as Llama 3 with digits alone, text composed (NFC) first. */
    QWEN2("qwen2 deepseek-r1-qwen", Patterns.llama(""), false, true),
    /** Mistral's Tekken: words also cut where a capital letter follows a small one. */
    TEKKEN("tekken", Patterns.TEKKEN, true, false);

    /** With blanks between. */
    private final String names;
    /** A line each. */
    private final String patterns;

    private final boolean wholePieces;
    private final boolean composed;

    PreTokenizer(String names, String patterns, boolean wholePieces, boolean composed) {
        this.names = names;
        this.patterns = patterns;
        this.wholePieces = wholePieces;
        this.composed = composed;
    }

    private Stream<String> names() {
        return Arrays.stream(names.split(" "));
    }

    /** The one of that name. */
    static Optional<PreTokenizer> named(String name) {
        return Arrays.stream(values())
                .filter(p -> p.names().anyMatch(name::equals))
                .findFirst();
    }

    /** All names, sorted, for a message. */
    static String allNames() {
        return Arrays.stream(values()).flatMap(PreTokenizer::names).sorted().collect(Collectors.joining(", "));
    }

    /** Each match is a piece, and so is what lies between matches; a later pattern cuts the pieces of the one before. */
    Stream<String> patterns() {
        return patterns.lines();
    }

    /** Whether a piece that is spelled like a token becomes it without merging. */
    boolean wholePieces() {
        return wholePieces;
    }

    /** Whether text is brought into Unicode's form NFC first. */
    boolean composed() {
        return composed;
    }

    /** The regular expressions; constants of an enum cannot be used by its constants before them. */
    private static final class Patterns {
        private static final String ENGLISH = "'s|'t|'re|'ve|'m|'ll|'d";
        private static final String SPACES = "\\s+(?!\\S)|\\s+";
        static final String GPT2 = ENGLISH + "| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|" + SPACES;
        static final String TEKKEN =
                "[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]*[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]+"
                        + "|[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]+[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]*"
                        + "|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|" + SPACES;

        /** Llama 3's, whose numbers are {@code \p{N}} and {@code repeated}. */
        static String llama(String repeated) {
            return "(?i:" + ENGLISH + ")|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}" + repeated
                    + "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|" + SPACES;
        }
    }
}
