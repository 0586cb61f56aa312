package dev.kvasir.cache.attention;

import dev.kvasir.cache.store.Scratch;
import dev.kvasir.cache.store.ValueReader;
import dev.kvasir.cache.transform.Transform;

/** Values in another basis, from which sums are brought back. */
public record TurnedValues(ValueReader inner, Transform transform) implements ValueReader {
    @Override
    public int size() {
        return inner.size();
    }

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
        inner.addWeighted(weights, weightOffset, weightStride, rows, from, to, out, outOffset, scratch);
    }

    @Override
    public void finish(float[] sums, int offset, int rows, Scratch scratch) {
        inner.finish(sums, offset, rows, scratch);
        transform.invert(sums, offset, rows);
    }
}
