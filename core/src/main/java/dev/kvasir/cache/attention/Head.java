package dev.kvasir.cache.attention;

import dev.kvasir.cache.store.KeyStore;
import dev.kvasir.cache.store.ValueStore;

/** What one KV head of one layer remembers. */
public record Head(KeyStore keys, ValueStore values) {
    Head fork() {
        return new Head(keys.fork(), values.fork());
    }

    void release() {
        keys.release();
        values.release();
    }
}
