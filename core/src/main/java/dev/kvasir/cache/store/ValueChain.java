package dev.kvasir.cache.store;

import java.util.List;

/** Values in one basis read one after the other as if they were one: tiers, windows, segments. */
public final class ValueChain implements ValueReader {
    private final List<? extends ValueReader> parts;

    /** Reads {@code parts}, a list that may grow and shrink between steps, in their order. */
    public ValueChain(List<? extends ValueReader> parts) {
        this.parts = parts;
    }

    @Override
    public int size() {
        int size = 0;
        for (int i = 0; i < parts.size(); i++) {
            ValueReader part = parts.get(i);
            size += part.size();
        }
        return size;
    }

    /** The weights are cut where the values are. */
    @Override
    public void addWeighted(
            float[] weights,
            int weightOffset,
            int weightStride,
            int rows,
            int from,
            int to,
            float[] out,
            int outOffset,
            Scratch scratch) {
        int base = 0;
        for (int i = 0; i < parts.size() && base < to; i++) {
            ValueReader part = parts.get(i);
            int first = Math.max(from, base) - base;
            int end = Math.min(to - base, part.size());
            if (first < end) {
                int w = weightOffset + base + first - from;
                part.addWeighted(weights, w, weightStride, rows, first, end, out, outOffset, scratch);
            }
            base += part.size();
        }
    }
}
