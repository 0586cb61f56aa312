package dev.kvasir.cache.store;

/** Tokens' keys; can score queries against them. */
public interface KeyStore extends TokenStore, KeyReader {
    /** Tokens held. */
    @Override
    int size();

    /** A second store with the same content, which shares this one's pages. */
    KeyStore fork();
}
