package dev.kvasir.cache.store;

/** Values that can be read back and replaced one by one. */
public interface RowValues extends ValueStore, RowStore {
    @Override
    RowValues fork();
}
