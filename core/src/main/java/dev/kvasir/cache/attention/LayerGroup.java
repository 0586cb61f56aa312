package dev.kvasir.cache.attention;

import java.util.List;

/**
 * Layers that follow each other and remember together, because one stores what is read by another. Most groups are a
 * {@link SingleLayer}.
 */
public interface LayerGroup {
    /** The layers, the first one first. Each writes, and counts, its own part of what they share. */
    List<? extends LayerStore> layers();

    /** A second group with the same content, which shares this one's pages. */
    LayerGroup fork();
}
