package dev.kvasir.lab.step;

import dev.kvasir.InvalidInputException;
import dev.kvasir.cache.CacheSpec;
import dev.kvasir.cache.Footprint;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** A model without weights: its logits are a function of the cache's name and of the tokens fed. */
public final class FakeModel implements StepModel {
    /** Logits after the last token of {@code fed}. */
    @FunctionalInterface
    public interface Rule {
        float[] logits(String method, List<Integer> fed);
    }

    /** Is told of every step. */
    @FunctionalInterface
    public interface Observer {
        void fed(String method, int lengthBefore, int count);
    }

    private final int vocabularySize;
    private final int contextLength;
    private final Rule rule;
    private final Observer observer;

    /** Every step of every sequence, e.g. {@code exact 0+4}. */
    public final List<String> steps = new ArrayList<>();

    public int opened;
    public int closed;

    public FakeModel(int vocabularySize, int contextLength, Rule rule) {
        this(vocabularySize, contextLength, rule, (method, lengthBefore, count) -> {});
    }

    public FakeModel(int vocabularySize, int contextLength, Rule rule, Observer observer) {
        this.vocabularySize = vocabularySize;
        this.contextLength = contextLength;
        this.rule = rule;
        this.observer = observer;
    }

    @Override
    public int vocabularySize() {
        return vocabularySize;
    }

    @Override
    public int contextLength() {
        return contextLength;
    }

    @Override
    public Sequence open(CacheSpec spec) {
        if (spec.method().startsWith("unfit")) {
            throw new InvalidInputException(spec.method() + ": does not fit");
        }
        return new FakeSequence(spec, new ArrayList<>());
    }

    @Override
    public Recording record(int[] tokens, int from, int count) {
        return (sequence, more) -> {
            FakeSequence fake = (FakeSequence) sequence;
            steps.add(fake.spec.method() + " " + fake.length() + "+" + more + " again");
            for (int i = 0; i < more; i++) {
                fake.fed.add(tokens[from + fake.length() % count]);
            }
        };
    }

    private final class FakeSequence implements Sequence {
        private final CacheSpec spec;
        private final List<Integer> fed;

        FakeSequence(CacheSpec spec, List<Integer> fed) {
            this.spec = spec;
            this.fed = fed;
            opened++;
        }

        @Override
        public CacheSpec spec() {
            return spec;
        }

        @Override
        public int length() {
            return fed.size();
        }

        @Override
        public void feed(int[] tokens, int from, int count, float[] logits) {
            steps.add(spec.method() + " " + fed.size() + "+" + count);
            observer.fed(spec.method(), fed.size(), count);
            Arrays.stream(tokens, from, from + count).forEach(fed::add);
            float[] own = rule.logits(spec.method(), List.copyOf(fed));
            System.arraycopy(own, 0, logits, 0, vocabularySize);
        }

        @Override
        public Footprint footprint() {
            return new Footprint(10L * fed.size(), 0, 0, 0, 0);
        }

        @Override
        public double bitsPerElement() {
            return fed.size() / 2.0;
        }

        @Override
        public Sequence fork() {
            return new FakeSequence(spec, new ArrayList<>(fed));
        }

        @Override
        public void close() {
            closed++;
        }
    }
}
