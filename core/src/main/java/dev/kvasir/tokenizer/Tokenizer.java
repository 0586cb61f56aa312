package dev.kvasir.tokenizer;

import ai.djl.huggingface.tokenizers.HuggingFaceTokenizer;
import ai.djl.huggingface.tokenizers.jni.CharSpan;
import dev.kvasir.InvalidFileException;
import dev.kvasir.format.gguf.GgufFile;
import dev.kvasir.format.gguf.GgufMetadata;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Optional;

/**
 * Text to ids and back, as the model's {@code tokenizer.json} or the metadata of its GGUF file says.
 *
 * <p>May be used by several threads at once until it is closed; a {@link Stream} belongs to one thread at a time. Half a
 * surrogate pair, which is no text, counts as U+FFFD.
 */
public final class Tokenizer implements AutoCloseable {
    private final TokenizerFile file;
    private final int vocabularySize;
    private final TextDecoder decoder;
    private final HuggingFaceTokenizer library;
    private final ByteAlphabet alphabet = new ByteAlphabet();

    private Tokenizer(TokenizerFile file, int vocabularySize, TextDecoder decoder, HuggingFaceTokenizer library) {
        this.file = file;
        this.vocabularySize = vocabularySize;
        this.decoder = decoder;
        this.library = library;
    }

    /**
     * Opens the tokenizer of a model: {@code tokenizer.json} of a folder, or what the metadata of a GGUF file describes.
     *
     * @param vocabularySize rows of the model's embedding; every id must be smaller
     * @throws InvalidFileException if the file is missing or malformed, if it does not match the model, or if its decoder is
     *     one that cannot be streamed
     */
    public static Tokenizer open(Path model, int vocabularySize) {
        if (Files.isRegularFile(model)) {
            return open(GgufFile.open(model).metadata(), vocabularySize);
        }
        return open(TokenizerFile.read(model, vocabularySize), vocabularySize);
    }

    /**
     * The tokenizer that the metadata of a GGUF file describes: {@code tokenizer.ggml.model} {@code gpt2}, or {@code llama}.
     *
     * @param vocabularySize rows of the model's embedding; every id must be smaller
     * @throws InvalidFileException naming the key that is missing, malformed, or says what is not supported
     */
    public static Tokenizer open(GgufMetadata metadata, int vocabularySize) {
        byte[] json = GgufTokenizer.json(metadata, vocabularySize);
        return open(TokenizerFile.of(metadata.path(), json, vocabularySize), vocabularySize);
    }

    private static Tokenizer open(TokenizerFile file, int vocabularySize) {
        TextDecoder decoder = TextDecoder.of(file.path(), file.decoder());
        return new Tokenizer(file, vocabularySize, decoder, NativeTokenizers.open(file));
    }

    /**
     * Ids of the text. No special token is added; one that is spelled out in the text becomes its id, as in Hugging Face's
     * library with {@code add_special_tokens=False}.
     */
    public int[] encode(String text) {
        return ids(tokenize(text));
    }

    /**
     * Ids with the text each came from. Tokens that share a character, as the bytes of an emoji do, each span all of it.
     *
     * @param ids {@code [tokens]}
     * @param starts first char of each token, {@code [tokens]}
     * @param ends char after the last of each token, {@code [tokens]}
     */
    public record Encoding(int[] ids, int[] starts, int[] ends) {}

    /** As {@link #encode}, with char offsets into the text. */
    public Encoding encodeWithOffsets(String text) {
        var encoding = tokenize(text);
        CharSpan[] spans = encoding.getCharTokenSpans();
        int[] starts = new int[spans.length];
        int[] ends = new int[spans.length];
        int[] charOf = charOfCodePoint(text);
        int last = 0;
        for (int i = 0; i < spans.length; i++) {
            // The library counts code points; a token that comes from no text stands where the one before it ended.
            starts[i] = spans[i] == null ? last : charOf[spans[i].getStart()];
            ends[i] = spans[i] == null ? last : charOf[spans[i].getEnd()];
            last = ends[i];
        }
        return new Encoding(ids(encoding), starts, ends);
    }

    /** Where each code point starts, and where the text ends. */
    private static int[] charOfCodePoint(String text) {
        int[] starts = new int[text.codePointCount(0, text.length()) + 1];
        int at = 0;
        for (int i = 0; i < starts.length - 1; i++) {
            starts[i] = at;
            at += Character.charCount(text.codePointAt(at));
        }
        starts[starts.length - 1] = at;
        return starts;
    }

    private ai.djl.huggingface.tokenizers.Encoding tokenize(String text) {
        try {
            return library.encode(wellFormed(text), false, false);
        } catch (RuntimeException e) {
            throw new InvalidFileException(file.path(), "cannot encode a text: " + NativeTokenizers.oneLine(e), e);
        }
    }

    private int[] ids(ai.djl.huggingface.tokenizers.Encoding encoding) {
        long[] found = encoding.getIds();
        int[] ids = new int[found.length];
        for (int i = 0; i < ids.length; i++) {
            if (found[i] < 0 || found[i] >= vocabularySize) {
                throw new InvalidFileException(
                        file.path(), "gave id " + found[i] + ", the model has ids 0 to " + (vocabularySize - 1));
            }
            ids[i] = (int) found[i];
        }
        return ids;
    }

    private static String wellFormed(String text) {
        int at = 0;
        while (at < text.length()) {
            int codePoint = text.codePointAt(at);
            if (codePoint >= Character.MIN_SURROGATE && codePoint <= Character.MAX_SURROGATE) {
                return text.codePoints()
                        .map(c -> c >= Character.MIN_SURROGATE && c <= Character.MAX_SURROGATE ? 0xFFFD : c)
                        .collect(StringBuilder::new, StringBuilder::appendCodePoint, StringBuilder::append)
                        .toString();
            }
            at += Character.charCount(codePoint);
        }
        return text;
    }

    /** Text of the ids; special tokens and ids without a token are left out. */
    public String decode(int[] ids) {
        return library.decode(Arrays.stream(ids).asLongStream().toArray(), true);
    }

    /** A decoder for one growing sequence; gives only whole characters. */
    public Stream stream() {
        return switch (decoder) {
            case BYTES -> new ByteStream(file, alphabet);
            case PIECES -> new PieceStream(file, this::decode, false);
            case PIECES_WITH_BYTE_RUNS -> new PieceStream(file, this::decode, true);
        };
    }

    /** The token of {@code id} as the vocabulary spells it, special ones too; empty if it has none. */
    public Optional<String> token(int id) {
        return file.token(id);
    }

    /** The id of a token spelled exactly so, e.g. {@code <|eot_id|>}; empty if there is none. */
    public Optional<Integer> id(String token) {
        return file.id(token);
    }

    /** Whether {@code id} is a special token, which {@link #decode} leaves out. */
    public boolean isSpecial(int id) {
        return file.isSpecial(id);
    }

    /**
     * Streaming detokenisation: what {@link #next} and finally {@link #finish} give, put together, is what {@link #decode}
     * gives for all ids.
     *
     * <p>The work for a token does not grow with the sequence.
     */
    public interface Stream {
        /** The text that token adds; empty while a character is incomplete. */
        String next(int token);

        /** What is left at the end: the replacement character for an incomplete one. */
        String finish();
    }

    /** Frees the native part; the tokenizer cannot be used afterwards. */
    @Override
    public void close() {
        library.close();
    }
}
