package dev.kvasir.cache;

import java.io.IOException;
import java.io.OutputStream;
import java.util.List;

/**
 * Everything one sequence remembers, in one of the published compressed forms.
 *
 * <p>Not safe for use by several threads at once; different caches are independent. All bytes come from a {@link
 * PagePool} and go back to it on {@link #close}.
 */
public interface KvCache extends AutoCloseable {
    /** The shape of the model this cache serves. */
    CacheShape shape();

    /** The method and options, in full and canonical form. */
    CacheSpec spec();

    /** Tokens seen so far; the position of the next one. */
    int length();

    /** The cache of one layer. */
    LayerCache layer(int layer);

    /**
     * Announces a step of {@code tokens} tokens and reserves its memory in every layer.
     *
     * @throws CacheBudgetException if the pool cannot give it; the cache is then as it was before
     */
    void reserve(int tokens);

    /**
     * Whether a step of {@code count} tokens would be stored before it attends, so that its tokens see each other as stored:
     * the outputs of a first step then differ from those of an exact cache.
     */
    default boolean storesFirst(int count) {
        return false;
    }

    /** Bytes allocated now, by kind, read from the pages themselves. */
    Footprint footprint();

    /** What a person who judges this cache should know of what it has met so far, a line each: that layers it merges disagree, say. */
    default List<String> remarks() {
        return List.of();
    }

    /** What its steps of one token have read, where it reads only some of its tokens; a fork counts from nothing. */
    default Reads reads() {
        return Reads.NONE;
    }

    /** A second cache with the same content; sealed pages are shared, the others copied. */
    KvCache fork();

    /** The most tokens {@link #rollback} can take back now; 0 where the method cannot. */
    int rollbackLimit();

    /**
     * Forgets the newest {@code tokens} tokens.
     *
     * @throws dev.kvasir.InvalidInputException if more than {@link #rollbackLimit}
     */
    void rollback(int tokens);

    /** Writes version, spec, model fingerprint, content and checksum; {@code Caches.load} reads it back. */
    void save(OutputStream out, String modelFingerprint) throws IOException;

    /** Gives all pages back. */
    @Override
    void close();
}
