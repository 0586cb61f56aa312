package dev.kvasir.cache.attention;

import java.util.List;

/** A layer that remembers by itself. */
public interface SingleLayer extends LayerStore, LayerGroup {
    @Override
    default List<SingleLayer> layers() {
        return List.of(this);
    }

    @Override
    SingleLayer fork();
}
