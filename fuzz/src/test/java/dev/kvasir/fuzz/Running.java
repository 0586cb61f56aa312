package dev.kvasir.fuzz;

import dev.kvasir.cache.CacheSpec;
import dev.kvasir.cache.Caches;
import dev.kvasir.cache.KvCache;
import dev.kvasir.cache.PagePool;
import dev.kvasir.model.Decoder;
import dev.kvasir.model.Model;
import dev.kvasir.tensor.Workers;

/** A few tokens through a model that a hostile file described, whatever its numbers are. */
final class Running {
    private static final long POOL_BYTES = 1 << 24;
    private static final int TOKENS = 3;
    /** Logits and hidden states of larger models cost more than this is worth. */
    private static final int MAX_WIDTH = 4096;

    private Running() {}

    static void some(Model model) {
        var config = model.config();
        if (config.vocabularySize() > MAX_WIDTH || config.hiddenSize() > MAX_WIDTH) {
            return;
        }
        int[] tokens = new int[TOKENS];
        for (int i = 0; i < tokens.length; i++) {
            tokens[i] = i % config.vocabularySize();
        }
        float[] logits = new float[tokens.length * config.vocabularySize()];
        try (Workers workers = Workers.of(1);
                PagePool pool = new PagePool(POOL_BYTES);
                KvCache cache = Caches.create(CacheSpec.parse("exact"), model.cacheModel(), pool, workers)) {
            new Decoder(model, workers).forwardAll(cache, tokens, 0, tokens.length, logits);
        }
    }
}
