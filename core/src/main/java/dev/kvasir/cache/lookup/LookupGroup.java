package dev.kvasir.cache.lookup;

import dev.kvasir.cache.CacheModel;
import dev.kvasir.cache.CacheShape;
import dev.kvasir.cache.PagePool;
import dev.kvasir.cache.attention.LayerFactory;
import dev.kvasir.cache.attention.LayerGroup;
import dev.kvasir.cache.attention.LayerStore;
import dev.kvasir.cache.kernel.Kernels;
import dev.kvasir.cache.tier.SecondTier;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** All layers of a cache that keeps every token and reads few: they, and all forks, share the second tier. */
public final class LookupGroup implements LayerGroup {
    private final SecondTier tier;
    private final List<LayerGroup> stores;
    private final List<LookupLayer> layers;

    /**
     * What a method decides.
     *
     * @param user its name, for errors
     * @param store what holds all tokens
     * @param tier where, as {@link SecondTier#open} takes it; empty if these bytes count as those of any cache
     * @param denseLayers first layers that read every token, and have no index
     * @param indexes makes what chooses
     */
    public record Plan(String user, LookupStore store, Optional<String> tier, int denseLayers, IndexFactory indexes) {}

    /** Makes the empty index of a layer. */
    @FunctionalInterface
    public interface IndexFactory {
        /** The index of {@code layer}, its pages from {@code pool}. */
        TokenIndex index(int layer, PagePool pool, Kernels kernels);
    }

    private LookupGroup(SecondTier tier, List<LayerGroup> stores, List<LookupLayer> layers) {
        this.tier = tier;
        this.stores = stores;
        this.layers = layers;
        layers.forEach(layer -> {
            tier.hold();
            layer.join(layers);
        });
    }

    /**
     * Layers by such a plan.
     *
     * @throws dev.kvasir.InvalidInputException if the store's layers do not serve
     */
    public static LayerFactory factory(Plan plan, CacheModel model) {
        LayerFactory dense = plan.store().whole(plan.user(), model);
        LayerFactory read = plan.store().read(plan.user(), model);
        return (first, pool, kernels) -> {
            SecondTier tier = SecondTier.open(plan.tier().orElse(SecondTier.MEMORY), pool);
            List<LayerGroup> stores = new ArrayList<>();
            List<LookupLayer> layers = new ArrayList<>();
            boolean made = false;
            try {
                while (first + layers.size() < model.shape().layers()) {
                    int layer = first + layers.size();
                    boolean whole = layer < plan.denseLayers();
                    LayerGroup group = (whole ? dense : read).group(layer, tier.pool(), kernels);
                    stores.add(group);
                    for (LayerStore store : group.layers()) {
                        int at = first + layers.size();
                        // A window is read as a whole: choosing among all tokens would choose what nobody sees.
                        boolean windowed = model.shape().window(at) != CacheShape.ALL;
                        Optional<TokenIndex> index = at < plan.denseLayers() || windowed
                                ? Optional.empty()
                                : Optional.of(plan.indexes().index(at, pool, kernels));
                        layers.add(new LookupLayer(plan, model.shape(), tier, store, index));
                    }
                }
                made = true;
            } finally {
                if (!made) {
                    tier.close();
                }
            }
            return new LookupGroup(tier, stores, layers);
        };
    }

    @Override
    public List<LookupLayer> layers() {
        return layers;
    }

    @Override
    public LookupGroup fork() {
        List<LayerGroup> copies = stores.stream().map(LayerGroup::fork).toList();
        List<LookupLayer> forks = new ArrayList<>();
        for (LayerGroup copy : copies) {
            for (LayerStore store : copy.layers()) {
                forks.add(layers.get(forks.size()).fork(store));
            }
        }
        return new LookupGroup(tier, copies, forks);
    }
}
