package dev.kvasir.onednn;

import dev.kvasir.tensor.ProductLibrary;
import java.lang.foreign.MemorySegment;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * oneDNN (the oneAPI Deep Neural Network Library), bf16 products with sums in f32: AMX tiles or AVX-512 BF16, whichever the
 * processor has. Every product runs on the thread that asks for it.
 */
public final class OneDnn implements ProductLibrary {
    private static final int AVX512_BF16 = 0xe7;
    private static final int AMX = 0xfef;
    /** Shapes a thread keeps ready: a model has about five, for each length of a step. */
    private static final int MOST_PREPARED = 64;

    private final String name;
    private final boolean fast;
    private final @Nullable DnnlApi api;
    private final MemorySegment engine;
    private final ThreadLocal<Prepared> prepared = ThreadLocal.withInitial(Prepared::new);

    /** Shape of a product. */
    private record Shape(int tokens, int rows, int columns) {}

    /** The products a thread has at hand, the one unused for longest first. */
    private static final class Prepared extends LinkedHashMap<Shape, PreparedProduct> {
        private static final long serialVersionUID = 1;

        Prepared() {
            super(16, 0.75f, true);
        }

        @Override
        protected boolean removeEldestEntry(Map.Entry<Shape, PreparedProduct> eldest) {
            if (size() > MOST_PREPARED) {
                eldest.getValue().close();
                return true;
            }
            return false;
        }
    }

    /** The library, if its native part can be loaded; else one that is not fast, and says why in its name. */
    public OneDnn() {
        DnnlApi loaded = null;
        String found;
        try {
            loaded = DnnlApi.load();
            int isa = loaded.isa();
            found = "oneDNN "
                    + ((isa & AMX) == AMX ? "AMX" : (isa & AVX512_BF16) == AVX512_BF16 ? "AVX-512" : "without bf16");
        } catch (DnnlApi.DnnlException e) {
            found = String.valueOf(e.getMessage());
        }
        api = loaded;
        name = found;
        fast = loaded != null && (loaded.isa() & AVX512_BF16) == AVX512_BF16;
        engine = loaded == null ? MemorySegment.NULL : loaded.engine();
    }

    @Override
    public String name() {
        return name;
    }

    @Override
    public boolean isFast() {
        return fast;
    }

    @Override
    public void multiply(MemorySegment x, int tokens, MemorySegment weights, int rows, int columns, MemorySegment out) {
        DnnlApi loaded = Optional.ofNullable(api).orElseThrow(() -> new IllegalStateException(name));
        Prepared ready = prepared.get();
        if (ready.isEmpty()) {
            loaded.oneThread();
        }
        ready.computeIfAbsent(
                        new Shape(tokens, rows, columns),
                        s -> new PreparedProduct(loaded, engine, tokens, rows, columns))
                .run(x, weights, out);
    }
}
