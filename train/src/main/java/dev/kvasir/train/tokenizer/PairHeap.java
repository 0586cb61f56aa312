package dev.kvasir.train.tokenizer;

import dev.kvasir.train.tokenizer.MergeTable.Pair;
import java.util.Comparator;
import java.util.PriorityQueue;
import java.util.function.ToDoubleFunction;
import org.jspecify.annotations.Nullable;

/**
 * A lazy heap of pairs by priority, ties by left then right piece id.
 *
 * <p>A priority may fall without notice: it is computed again when the pair comes up, and the pair sinks to its place.
 * A priority that rises must be told by {@link #update}.
 */
final class PairHeap {
    private record Entry(double priority, Pair pair) {}

    private static final Comparator<Entry> ORDER = Comparator.comparingDouble((Entry e) -> -e.priority())
            .thenComparingInt(e -> e.pair().left)
            .thenComparingInt(e -> e.pair().right);

    private final PriorityQueue<Entry> entries = new PriorityQueue<>(ORDER);
    private final ToDoubleFunction<Pair> priority;

    /** A heap over {@code priority}; pairs of priority -infinity are never held. */
    PairHeap(ToDoubleFunction<Pair> priority) {
        this.priority = priority;
    }

    /** Adds {@code pair}, or notes its present priority. */
    void update(Pair pair) {
        double now = priority.applyAsDouble(pair);
        if (now == pair.queued) {
            return;
        }
        pair.queued = now;
        if (now != Double.NEGATIVE_INFINITY) {
            entries.add(new Entry(now, pair));
        }
    }

    /** Takes the pair of highest priority, or null when none is left. */
    @Nullable
    Pair poll() {
        while (true) {
            Entry top = entries.poll();
            if (top == null) {
                return null;
            }
            Pair pair = top.pair();
            if (top.priority() != pair.queued) {
                continue; // a newer entry stands for this pair
            }
            if (priority.applyAsDouble(pair) == top.priority()) {
                pair.queued = Double.NEGATIVE_INFINITY;
                return pair;
            }
            update(pair);
        }
    }
}
