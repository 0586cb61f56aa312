package dev.kvasir.cache.store;

/** Values that take tokens in whole blocks: what a window {@linkplain FlushingValues flushes} into. */
public interface BlockValues extends ValueStore {
    /** Tokens that must come together; 1 where they may come alone. */
    int block();

    /** Announces how many tokens the coming blocks bring, so that they can be stored at once as they will be after the last. */
    default void expect(int tokens) {}

    @Override
    BlockValues fork();
}
