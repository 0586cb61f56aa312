package dev.kvasir.cache.store;

/** Tokens' values; can add a weighted sum of them. */
public interface ValueStore extends TokenStore, ValueReader {
    /** Tokens held. */
    @Override
    int size();

    /** A second store with the same content, which shares this one's pages. */
    ValueStore fork();
}
