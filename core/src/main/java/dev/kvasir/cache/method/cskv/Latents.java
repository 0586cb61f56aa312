package dev.kvasir.cache.method.cskv;

import dev.kvasir.cache.kernel.Kernels;
import dev.kvasir.cache.store.ExactKeys;
import dev.kvasir.cache.store.FlushingKeys;
import dev.kvasir.cache.store.KeyStore;
import dev.kvasir.cache.store.PackedKeys;
import dev.kvasir.cache.store.Scratch;
import java.util.Arrays;

/**
 * The latents of all tokens of one side of a layer, in panels of 32 tokens.
 *
 * @param store of {@code rank} channels: all numbers as they are, or whole blocks packed and the begun one as it is
 */
record Latents(Kernels kernels, Factors factors, KeyStore store) {
    /** Stores the latents of {@code count} more inputs. A token's latent does not depend on what comes with it. */
    void append(float[] inputs, int count, Scratch scratch) {
        int rank = factors.rank();
        int width = factors.inputs();
        float[] latents = scratch.spare(count * rank);
        Arrays.fill(latents, 0, count * rank, 0f);
        kernels.sums(inputs, 0, width, count, factors.a(), 0, rank, width, rank, latents, 0, rank);
        store.append(latents, 0, rank, count, scratch);
    }

    /** Writes the latents of 32 slots, the first a multiple of 32, to {@code out[rank][32]}. */
    void panel(int slot, float[] out, Scratch scratch) {
        if (store instanceof FlushingKeys blocks) {
            int packed = blocks.packed().size();
            if (slot < packed) {
                ((PackedKeys) blocks.packed()).unpack(slot, 0, factors.rank(), out, scratch);
            } else {
                blocks.window().panel(slot - packed, out, 0, Kernels.PANEL);
            }
        } else {
            ((ExactKeys) store).panel(slot, out, 0, Kernels.PANEL);
        }
    }

    Latents fork() {
        return new Latents(kernels, factors, store.fork());
    }
}
