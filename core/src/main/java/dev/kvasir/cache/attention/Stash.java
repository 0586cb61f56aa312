package dev.kvasir.cache.attention;

import java.util.concurrent.atomic.AtomicReferenceArray;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/** Things that are costly to make, lent to one user at a time; a loan allocates nothing once there are enough of them. */
final class Stash<T> {
    private static final int PLACES = 64;

    private final AtomicReferenceArray<@Nullable T> places = new AtomicReferenceArray<>(PLACES);
    private final Supplier<T> maker;

    Stash(Supplier<T> maker) {
        this.maker = maker;
    }

    T take() {
        for (int i = 0; i < PLACES; i++) {
            T thing = places.get(i) == null ? null : places.getAndSet(i, null);
            if (thing != null) {
                return thing;
            }
        }
        return maker.get();
    }

    void giveBack(T thing) {
        for (int i = 0; i < PLACES; i++) {
            if (places.compareAndSet(i, null, thing)) {
                return;
            }
        }
    }
}
