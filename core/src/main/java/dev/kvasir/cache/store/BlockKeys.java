package dev.kvasir.cache.store;

/** Keys that take tokens in whole blocks, channel by channel: what a window {@linkplain FlushingKeys flushes} into. */
public interface BlockKeys extends KeyStore {
    /** Tokens that must come together; 1 where they may come alone. */
    int block();

    /** Stores {@code count} tokens, a multiple of the block, given as {@code columns[channel][token]}. */
    void appendColumns(float[] columns, int offset, int stride, int count, Scratch scratch);

    /** Announces how many tokens the coming blocks bring, so that they can be stored at once as they will be after the last. */
    default void expect(int tokens) {}

    @Override
    BlockKeys fork();
}
