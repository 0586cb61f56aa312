package dev.kvasir.cache.store;

/** Values of some of a head's slots, numbered from 0: a link of a {@link ValueChain}. */
public interface ValuePart extends ValueReader {
    /** Tokens held. */
    int size();
}
