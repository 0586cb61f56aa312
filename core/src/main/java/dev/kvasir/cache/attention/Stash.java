package dev.kvasir.cache.attention;

import java.util.concurrent.atomic.AtomicReferenceArray;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/** Things that are costly to make, lent to one user at a time; a loan allocates nothing once there are enough of them. */
public final class Stash<T> {
    private static final int PLACES = 64;

    private final AtomicReferenceArray<@Nullable T> places = new AtomicReferenceArray<>(PLACES);
    private final Supplier<T> maker;

    /** None yet; {@code maker} makes what is missing. */
    public Stash(Supplier<T> maker) {
        this.maker = maker;
    }

    /** A thing that nobody else uses until it is given back. */
    public T take() {
        for (int i = 0; i < PLACES; i++) {
            T thing = places.get(i) == null ? null : places.getAndSet(i, null);
            if (thing != null) {
                return thing;
            }
        }
        return maker.get();
    }

    /** Ends a loan. */
    public void giveBack(T thing) {
        for (int i = 0; i < PLACES; i++) {
            if (places.compareAndSet(i, null, thing)) {
                return;
            }
        }
    }
}
