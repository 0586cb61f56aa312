package dev.kvasir.cache.attention;

import java.util.List;
import java.util.Optional;

/**
 * Layers that follow each other and remember together, because one stores what is read by another. Most groups are a
 * {@link SingleLayer}.
 */
public interface LayerGroup {
    /** The layers, the first one first. Each writes, and counts, its own part of what they share. */
    List<? extends LayerStore> layers();

    /**
     * What a person who judges this cache should know of what it has met; empty if there is nothing.
     *
     * @param layer the number of the first of these layers
     */
    default Optional<String> remark(int layer) {
        return Optional.empty();
    }

    /** A second group with the same content, which shares this one's pages. */
    LayerGroup fork();
}
