package dev.kvasir.lab.step;

import dev.kvasir.cache.CacheModel;
import dev.kvasir.cache.CacheSpec;
import dev.kvasir.cache.Caches;
import dev.kvasir.cache.Footprint;
import dev.kvasir.cache.KvCache;
import dev.kvasir.cache.PagePool;
import dev.kvasir.cache.Reads;
import dev.kvasir.engine.RepeatedPrompt;
import dev.kvasir.model.Decoder;
import dev.kvasir.model.Model;
import dev.kvasir.tensor.Precision;
import dev.kvasir.tensor.Workers;
import java.util.ArrayList;
import java.util.List;

/** A model of core behind the lab's door: one decoder, one page pool, a cache per sequence. */
public final class EngineModel implements StepModel {
    private final Model model;
    private final CacheModel cacheModel;
    private final PagePool pool;
    private final Workers workers;
    private final Decoder decoder;
    private final float[] unusedLogits;

    /** Sequences of {@code model}, their caches from {@code pool}; all three stay the caller's to close. */
    public EngineModel(Model model, PagePool pool, Workers workers) {
        this(model, pool, workers, Precision.F32);
    }

    /** As the other, with products of many tokens in {@code precision}: for measurements of speed. */
    public EngineModel(Model model, PagePool pool, Workers workers, Precision precision) {
        this.model = model;
        this.cacheModel = model.cacheModel();
        this.pool = pool;
        this.workers = workers;
        this.decoder = new Decoder(model, workers, precision);
        this.unusedLogits = new float[model.config().vocabularySize()];
    }

    @Override
    public int vocabularySize() {
        return model.config().vocabularySize();
    }

    @Override
    public int contextLength() {
        return model.config().contextLength();
    }

    @Override
    public CacheSpec complete(CacheSpec spec) {
        return Caches.complete(spec);
    }

    @Override
    public Sequence open(CacheSpec spec) {
        return new EngineSequence(spec, Caches.create(spec, cacheModel, pool, workers));
    }

    @Override
    public Recording record(int[] tokens, int from, int count) {
        RepeatedPrompt prompt = new RepeatedPrompt(decoder, pool, workers, tokens, from, count);
        return (sequence, more) -> prompt.feed(((EngineSequence) sequence).cache, more);
    }

    /**
     * Runs projections and MLPs once for all sequences whose tokens see each other exactly: each of their caches is given the
     * same states. The others run alone.
     */
    @Override
    public void feedAll(List<Sequence> sequences, int[] tokens, int from, int count) {
        List<KvCache> together = new ArrayList<>();
        for (Sequence sequence : sequences) {
            KvCache cache = ((EngineSequence) sequence).cache;
            if (cache.storesFirst(count)) {
                decoder.forward(cache, tokens, from, count, unusedLogits);
            } else {
                together.add(cache);
            }
        }
        if (!together.isEmpty()) {
            decoder.forward(new FanOutCache(together), tokens, from, count, unusedLogits);
        }
    }

    private final class EngineSequence implements Sequence {
        private final CacheSpec spec;
        private final KvCache cache;

        EngineSequence(CacheSpec spec, KvCache cache) {
            this.spec = spec;
            this.cache = cache;
        }

        @Override
        public CacheSpec spec() {
            return spec;
        }

        @Override
        public int length() {
            return cache.length();
        }

        @Override
        public void feed(int[] tokens, int from, int count, float[] logits) {
            decoder.forward(cache, tokens, from, count, logits);
        }

        @Override
        public Footprint footprint() {
            return cache.footprint();
        }

        @Override
        public double bitsPerElement() {
            return cache.length() == 0 ? 0 : cache.footprint().bitsPerElement(cache.shape(), cache.length());
        }

        @Override
        public Reads reads() {
            return cache.reads();
        }

        @Override
        public Sequence fork() {
            return new EngineSequence(spec, cache.fork());
        }

        @Override
        public void close() {
            cache.close();
        }
    }
}
