package dev.kvasir.cache.store;

/** Keys that can be read back and replaced one by one. */
public interface RowKeys extends KeyStore, RowStore {
    @Override
    RowKeys fork();
}
