package dev.kvasir.cache.store;

/** Keys of some of a head's slots, numbered from 0: a link of a {@link KeyChain}. */
public interface KeyPart extends KeyReader {
    /** Tokens held. */
    int size();
}
