package dev.kvasir.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kvasir.InvalidInputException;
import dev.kvasir.cache.CacheBudgetException;
import dev.kvasir.cache.CacheShape;
import dev.kvasir.cache.CacheSpec;
import dev.kvasir.cache.Footprint;
import dev.kvasir.cache.KvCache;
import dev.kvasir.cache.LayerCache;
import dev.kvasir.engine.Generator.Finish;
import dev.kvasir.format.TestTokenizers;
import dev.kvasir.model.ModelConfig;
import dev.kvasir.model.RopeScaling;
import dev.kvasir.tokenizer.Tokenizer;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Generation over a model that says a text it was given, whatever it reads. */
class GeneratorTest {
    private static final int EOS = 2;
    private static final int CONTEXT = 40;

    @TempDir
    private Path folder;

    private Tokenizer tokenizer;
    private final FakeCache cache = new FakeCache();
    private final List<Integer> steps = new ArrayList<>();
    private final List<String> pieces = new ArrayList<>();

    @BeforeEach
    void open() throws IOException {
        TestTokenizers.write(folder, TestTokenizers.byteLevel());
        tokenizer = Tokenizer.open(folder, 300);
    }

    @AfterEach
    void close() {
        tokenizer.close();
    }

    /** Says {@code text} after a prompt of {@code promptLength} tokens, then EOS for ever. */
    private Generator saying(String text, int promptLength, int prefillChunk) {
        int[] script = tokenizer.encode(text);
        StepFunction model = (c, tokens, from, count, logits) -> {
            c.reserve(count);
            for (int i = from; i < from + count; i++) {
                cache.tokens.add(tokens[i]);
            }
            steps.add(count);
            int next = c.length() - promptLength;
            Arrays.fill(logits, 0);
            logits[next >= 0 && next < script.length ? script[next] : EOS] = 1;
        };
        ModelConfig config = ModelConfig.llama(
                8, 8, 1, 1, 1, 8, 300, CONTEXT, 1e-6f, 1e4f, RopeScaling.none(), true, Optional.of(1), List.of(EOS));
        return new Generator(config, tokenizer, model, prefillChunk);
    }

    private static SamplingOptions options(int maxTokens, String... stop) {
        return new SamplingOptions(0, 0, 1, 0, 1, 0, maxTokens, List.of(stop));
    }

    private Generator.Result run(String text, SamplingOptions options) {
        Generator.Result result = saying(text, 3, 100).generate(cache, new int[] {5, 6, 7}, options, pieces::add);
        assertThat(String.join("", pieces)).isEqualTo(result.text());
        return result;
    }

    @Test
    void endsAtEos() {
        Generator.Result result = run("in the end", options(100));
        assertThat(result.text()).isEqualTo("in the end");
        assertThat(result.finish()).isEqualTo(Finish.EOS);
        assertThat(result.promptTokens()).isEqualTo(3);
        assertThat(result.ids()).endsWith(EOS).hasSize(result.tokens());
        assertThat(cache.tokens).hasSize(3 + result.tokens() - 1);
    }

    @Test
    void feedsThePromptInChunks() {
        int[] prompt = {5, 6, 7, 8, 9, 10, 11};
        saying("x", 7, 3).generate(cache, prompt, options(2), pieces::add);
        assertThat(steps).startsWith(3, 3, 1, 1);
        assertThat(cache.tokens).startsWith(5, 6, 7, 8, 9, 10, 11);
    }

    @Test
    void endsAfterMaxTokens() {
        Generator.Result result = run("abcdef", options(4));
        assertThat(result.text()).isEqualTo("abcd");
        assertThat(result.finish()).isEqualTo(Finish.LENGTH);
        assertThat(result.tokens()).isEqualTo(4);
    }

    @Test
    void stopTextAcrossTokensIsNotPartOfTheText() {
        Generator.Result result = run("one<|stop|>two", options(100, "<|stop|>"));
        assertThat(result.text()).isEqualTo("one");
        assertThat(result.finish()).isEqualTo(Finish.STOP);
    }

    @Test
    void whatLooksLikeAStopTextComesInTheEnd() {
        Generator.Result result = run("one<|sto", options(100, "<|stop|>"));
        assertThat(result.text()).isEqualTo("one<|sto");
        assertThat(result.finish()).isEqualTo(Finish.EOS);
        assertThat(pieces).endsWith("<|sto");
    }

    @Test
    void givesWholeCharactersOnly() {
        Generator.Result result = run("a\ud83d\ude00b", options(100));
        assertThat(result.text()).isEqualTo("a\ud83d\ude00b");
        assertThat(pieces).containsExactly("a", "\ud83d\ude00", "b");
    }

    @Test
    void halfACharacterAtTheEndIsReplaced() {
        // The emoji has three tokens: two bytes are merged.
        assertThat(run("a\ud83d\ude00b", options(2)).text()).isEqualTo("a\ufffd");
    }

    @Test
    void endsWhenTheContextIsFull() {
        Generator.Result result = run("x".repeat(100), options(1000));
        assertThat(result.finish()).isEqualTo(Finish.CONTEXT);
        assertThat(cache.length()).isEqualTo(CONTEXT);
        assertThat(result.text()).isEqualTo("x".repeat(CONTEXT - 3 + 1));
    }

    @Test
    void spentBudgetKeepsTheTextSoFar() {
        cache.capacity = 8;
        Generator.Result result = run("abcdefghij", options(100));
        assertThat(result.finish()).isEqualTo(Finish.BUDGET);
        assertThat(result.text()).isEqualTo("abcdef");
        assertThat(cache.length()).isEqualTo(8);
    }

    @Test
    void spentBudgetInThePromptIsAnError() {
        cache.capacity = 2;
        assertThatThrownBy(() -> run("abc", options(100))).isInstanceOf(CacheBudgetException.class);
    }

    @Test
    void continuesACache() {
        Generator.Result first = run("abcdef", options(4));
        int last = first.ids()[3];
        assertThat(cache.tokens).hasSize(6).doesNotContain(last);
        // The last token goes before the next prompt; the script goes on where it was.
        Generator.Result second = saying("abcdef", 3, 100).generate(cache, new int[] {last}, options(100), piece -> {});
        assertThat(second.text()).isEqualTo("ef");
    }

    @Test
    void refusesPromptsThatCannotBeFed() {
        Generator generator = saying("x", 3, 4);
        assertRefused(generator, new int[] {}, "at least one token");
        assertRefused(generator, new int[] {5, 300}, "from 0 to 299, as the model has, found 300");
        assertRefused(generator, new int[] {-1}, "found -1");
        assertRefused(generator, new int[CONTEXT + 1], "context of 40 tokens, found 41 after 0");
        cache.tokens.addAll(List.of(3, 4));
        assertRefused(generator, new int[CONTEXT - 1], "found 39 after 2");
        assertThat(steps).isEmpty();
        assertThatThrownBy(() -> saying("x", 3, 0)).isInstanceOf(InvalidInputException.class);
    }

    private void assertRefused(Generator generator, int[] prompt, String problem) {
        assertThatThrownBy(() -> generator.generate(cache, prompt, options(5), pieces::add))
                .isInstanceOf(InvalidInputException.class)
                .hasMessageContaining(problem);
    }

    /** Remembers the tokens themselves. */
    private static final class FakeCache implements KvCache {
        private final List<Integer> tokens = new ArrayList<>();
        private int capacity = Integer.MAX_VALUE;

        @Override
        public CacheShape shape() {
            return new CacheShape(1, 1, 1, 8, 8);
        }

        @Override
        public CacheSpec spec() {
            return new CacheSpec("fake", Map.of());
        }

        @Override
        public int length() {
            return tokens.size();
        }

        @Override
        public LayerCache layer(int layer) {
            throw new AssertionError("no model reads this");
        }

        @Override
        public void reserve(int count) {
            if (tokens.size() + count > capacity) {
                throw new CacheBudgetException("full");
            }
        }

        @Override
        public Footprint footprint() {
            return Footprint.ZERO;
        }

        @Override
        public KvCache fork() {
            throw new AssertionError("nobody forks");
        }

        @Override
        public int rollbackLimit() {
            return 0;
        }

        @Override
        public void rollback(int count) {
            throw new AssertionError("nobody rolls back");
        }

        @Override
        public void save(OutputStream out, String modelFingerprint) {
            throw new AssertionError("nobody saves");
        }

        @Override
        public void close() {}
    }
}
