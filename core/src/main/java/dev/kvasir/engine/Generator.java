package dev.kvasir.engine;

import dev.kvasir.cache.KvCache;
import dev.kvasir.model.Decoder;
import dev.kvasir.model.Model;
import dev.kvasir.tokenizer.Tokenizer;
import java.util.function.Consumer;

/** The generation loop of one sequence. */
public final class Generator {
    /** A generator over one model. {@code prefillChunk} is the most prompt tokens fed in one step. */
    public Generator(Model model, Tokenizer tokenizer, Decoder decoder, int prefillChunk) {}

    /** Why a generation ended. */
    public enum Finish {
        EOS,
        STOP,
        LENGTH,
        CONTEXT
    }

    /**
     * What a generation did.
     *
     * @param text the whole text, without the stop string
     */
    public record Result(
            String text, int promptTokens, int tokens, Finish finish, double prefillSeconds, double decodeSeconds) {}

    /** Continues {@code cache} with {@code prompt} and generates; {@code onText} receives text as it comes. */
    public Result generate(KvCache cache, int[] prompt, SamplingOptions options, Consumer<String> onText) {
        throw new UnsupportedOperationException();
    }
}
