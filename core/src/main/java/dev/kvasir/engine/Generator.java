package dev.kvasir.engine;

import dev.kvasir.InvalidInputException;
import dev.kvasir.cache.CacheBudgetException;
import dev.kvasir.cache.KvCache;
import dev.kvasir.model.Decoder;
import dev.kvasir.model.Model;
import dev.kvasir.model.ModelConfig;
import dev.kvasir.tokenizer.Tokenizer;
import java.util.Set;
import java.util.function.Consumer;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** The generation loop of one sequence at a time; one thread at a time, as its decoder. */
public final class Generator {
    private final ModelConfig config;
    private final Tokenizer tokenizer;
    private final StepFunction step;
    private final int prefillChunk;
    private final float[] logits;
    private final Set<Integer> ends;

    /** A generator over one model. {@code prefillChunk} is the most prompt tokens fed in one step. */
    public Generator(Model model, Tokenizer tokenizer, Decoder decoder, int prefillChunk) {
        this(model.config(), tokenizer, decoder::forward, prefillChunk);
    }

    /** As {@link #Generator(Model, Tokenizer, Decoder, int)}; {@code ends} end a text as well as the model's own tokens do. */
    public Generator(Model model, Tokenizer tokenizer, Decoder decoder, int prefillChunk, Set<Integer> ends) {
        this(model.config(), tokenizer, decoder::forward, prefillChunk, ends);
    }

    /** As {@link #Generator(Model, Tokenizer, Decoder, int)}, over anything that makes logits of tokens. */
    public Generator(ModelConfig config, Tokenizer tokenizer, StepFunction step, int prefillChunk) {
        this(config, tokenizer, step, prefillChunk, Set.of());
    }

    private Generator(ModelConfig config, Tokenizer tokenizer, StepFunction step, int prefillChunk, Set<Integer> ends) {
        if (prefillChunk < 1) {
            throw new InvalidInputException("prefillChunk must be 1 or more, found " + prefillChunk);
        }
        this.config = config;
        this.tokenizer = tokenizer;
        this.step = step;
        this.prefillChunk = prefillChunk;
        this.logits = new float[config.vocabularySize()];
        this.ends = Stream.concat(config.eosTokens().stream(), ends.stream()).collect(Collectors.toUnmodifiableSet());
    }

    /** Why a generation ended. */
    public enum Finish {
        /** The model ended the text. */
        EOS,
        /** A stop text came. */
        STOP,
        /** {@code maxTokens} were generated. */
        LENGTH,
        /** The model's context is full. */
        CONTEXT,
        /** The cache's byte budget is spent; the text so far is complete. */
        BUDGET
    }

    /**
     * What a generation did.
     *
     * @param text the whole text, without the stop string
     * @param promptTokens tokens of the prompt
     * @param ids the generated tokens, the one that ended the text included. The cache holds all of them but the last: who
     *     continues puts that one before the next prompt
     * @param finish why it ended
     * @param prefillSeconds time for the prompt
     * @param decodeSeconds time for everything after it
     */
    public record Result(
            String text, int promptTokens, int[] ids, Finish finish, double prefillSeconds, double decodeSeconds) {
        /** Tokens generated. */
        public int tokens() {
            return ids.length;
        }
    }

    /**
     * Continues {@code cache} with {@code prompt} and generates; {@code onText} receives text as it comes, never half a
     * character and never a part of a stop text.
     *
     * <p>The repetition penalty counts the tokens of this prompt and the generated ones, not what the cache held before.
     *
     * @throws InvalidInputException if the prompt is empty, holds an id that the model lacks, or does not fit the context;
     *     the cache is then as it was before
     * @throws CacheBudgetException if the cache cannot hold the prompt; it then holds the chunks that fitted. A budget that
     *     ends later is no error but {@link Finish#BUDGET}
     */
    public Result generate(KvCache cache, int[] prompt, SamplingOptions options, Consumer<String> onText) {
        check(cache, prompt);
        long start = System.nanoTime();
        for (int from = 0; from < prompt.length; from += prefillChunk) {
            step.forward(cache, prompt, from, Math.min(prefillChunk, prompt.length - from), logits);
        }
        long prefilled = System.nanoTime();
        Run run = new Run(cache, prompt, options, onText);
        Finish finish = run.toTheEnd();
        double decodeSeconds = (System.nanoTime() - prefilled) * 1e-9;
        return new Result(
                run.text.toString(), prompt.length, run.ids(), finish, (prefilled - start) * 1e-9, decodeSeconds);
    }

    private void check(KvCache cache, int[] prompt) {
        if (prompt.length == 0) {
            throw new InvalidInputException("the prompt must have at least one token, found none");
        }
        for (int id : prompt) {
            if (id < 0 || id >= config.vocabularySize()) {
                throw new InvalidInputException("the prompt's ids must be from 0 to " + (config.vocabularySize() - 1)
                        + ", as the model has, found " + id);
            }
        }
        if ((long) cache.length() + prompt.length > config.contextLength()) {
            throw new InvalidInputException("the prompt must fit the model's context of " + config.contextLength()
                    + " tokens, found " + prompt.length + " after " + cache.length() + " in the cache");
        }
    }

    /** The part after the prompt. */
    private final class Run {
        private final KvCache cache;
        private final SamplingOptions options;
        private final Consumer<String> onText;
        private final Sampler sampler;
        private final Tokenizer.Stream detokenizer = tokenizer.stream();
        private final StopMatcher matcher;
        private final StringBuilder text = new StringBuilder();
        private final TokenList generated = new TokenList();

        Run(KvCache cache, int[] prompt, SamplingOptions options, Consumer<String> onText) {
            this.cache = cache;
            this.options = options;
            this.onText = onText;
            this.matcher = new StopMatcher(options.stop());
            this.sampler = new Sampler(options, config.vocabularySize());
            for (int token : prompt) {
                sampler.accept(token);
            }
        }

        Finish toTheEnd() {
            Finish finish = decode();
            give(matcher.append(detokenizer.finish()));
            give(matcher.finish());
            return matcher.stopped() ? Finish.STOP : finish;
        }

        private Finish decode() {
            while (true) {
                int token = sampler.next(logits);
                sampler.accept(token);
                generated.add(token);
                if (ends.contains(token)) {
                    return Finish.EOS;
                }
                give(matcher.append(detokenizer.next(token)));
                if (matcher.stopped()) {
                    return Finish.STOP;
                }
                if (generated.size() == options.maxTokens()) {
                    return Finish.LENGTH;
                }
                if (cache.length() >= config.contextLength()) {
                    return Finish.CONTEXT;
                }
                try {
                    step.forward(cache, generated.elements(), generated.size() - 1, 1, logits);
                } catch (CacheBudgetException e) {
                    return Finish.BUDGET;
                }
            }
        }

        private void give(String piece) {
            if (!piece.isEmpty()) {
                text.append(piece);
                onText.accept(piece);
            }
        }

        int[] ids() {
            return generated.toArray();
        }
    }
}
