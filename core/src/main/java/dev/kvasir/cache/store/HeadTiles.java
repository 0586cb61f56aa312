package dev.kvasir.cache.store;

import dev.kvasir.cache.kernel.Kernels;
import java.util.List;

/**
 * Keys that heads hold by themselves, restored a block of 32 tokens at a time for all heads together.
 *
 * @param heads the stores, all of which {@linkplain #canRestore can be restored}
 * @param headDim channels of a head
 */
public record HeadTiles(List<KeyStore> heads, int headDim) implements KeyTiles {
    private static final int PANEL = Kernels.PANEL;

    /** Keeps its own list. */
    public HeadTiles {
        heads = List.copyOf(heads);
    }

    /** Whether a store's keys can be restored by blocks. */
    public static boolean canRestore(KeyStore store) {
        return switch (store) {
            case ExactKeys exact -> true;
            case PackedKeys packed -> true;
            case FlushingKeys flushing -> flushing.packed() instanceof PackedKeys;
            default -> false;
        };
    }

    @Override
    public int size() {
        return heads.getFirst().size();
    }

    @Override
    public void restore(int slot, float[] tile, Scratch scratch) {
        for (int h = 0; h < heads.size(); h++) {
            restore(heads.get(h), slot, tile, h * headDim * PANEL, scratch);
        }
    }

    private static void restore(KeyStore store, int slot, float[] tile, int offset, Scratch scratch) {
        switch (store) {
            case ExactKeys exact -> exact.panel(slot, tile, offset, PANEL);
            case PackedKeys packed -> packed.unpack(slot, slot + PANEL, tile, offset, PANEL, scratch);
            case FlushingKeys flushing -> {
                // A window is flushed by whole blocks, so none lies on the border.
                int flushed = flushing.packed().size();
                if (slot < flushed) {
                    restore(flushing.packed(), slot, tile, offset, scratch);
                } else {
                    flushing.window().panel(slot - flushed, tile, offset, PANEL);
                }
            }
            default -> throw new IllegalStateException("keys that cannot be restored: " + store.getClass());
        }
    }
}
