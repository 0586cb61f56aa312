package dev.kvasir.tokenizer;

import java.nio.charset.StandardCharsets;

/** Streams a byte-level vocabulary: each token's bytes go through one UTF-8 decoder. */
final class ByteStream implements Tokenizer.Stream {
    private final TokenizerFile file;
    private final ByteAlphabet alphabet;
    private final Utf8Decoder utf8 = new Utf8Decoder();
    private final StringBuilder out = new StringBuilder();

    ByteStream(TokenizerFile file, ByteAlphabet alphabet) {
        this.file = file;
        this.alphabet = alphabet;
    }

    @Override
    public String next(int token) {
        if (!file.isSpecial(token)) {
            file.token(token).ifPresent(this::accept);
        }
        return take();
    }

    /** A token with a character outside of the alphabet, as added tokens may have, stands for its own UTF-8. */
    private void accept(String token) {
        if (token.chars().allMatch(c -> alphabet.byteOf((char) c) >= 0)) {
            token.chars().forEach(c -> utf8.accept(alphabet.byteOf((char) c), out));
        } else {
            for (byte b : token.getBytes(StandardCharsets.UTF_8)) {
                utf8.accept(b & 0xff, out);
            }
        }
    }

    @Override
    public String finish() {
        utf8.finish(out);
        return take();
    }

    private String take() {
        String text = out.toString();
        out.setLength(0);
        return text;
    }
}
