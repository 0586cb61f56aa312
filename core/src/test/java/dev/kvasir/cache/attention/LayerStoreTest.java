package dev.kvasir.cache.attention;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kvasir.cache.CacheShape;
import dev.kvasir.cache.CacheSpec;
import dev.kvasir.cache.Footprint;
import dev.kvasir.cache.PagePool;
import dev.kvasir.cache.Queries;
import dev.kvasir.cache.Steps;
import dev.kvasir.cache.TokenStates;
import dev.kvasir.cache.kernel.Element;
import dev.kvasir.cache.kernel.Kernels;
import dev.kvasir.cache.store.ExactKeys;
import dev.kvasir.cache.store.ExactValues;
import dev.kvasir.cache.store.KeyReader;
import dev.kvasir.cache.store.Scratch;
import dev.kvasir.cache.store.ValueReader;
import dev.kvasir.tensor.Workers;
import java.io.DataInput;
import java.io.DataOutput;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What a layer may ask of attention beside what {@link HeadStores} asks. */
final class LayerStoreTest {
    private static final CacheShape SHAPE = new CacheShape(2, 6, 2, 32, 48);
    private static final int[] COUNTS = {1, 40, 1, 700, 1, 1900, 3, 1};

    private final Steps steps = new Steps(SHAPE, 5);

    @Test
    void headsReadTogetherGiveWhatHeadsReadAloneGive() {
        assertSame(true, false, Steps.sequential());
    }

    @Test
    void stepStoredFirstSeesItselfAsItWouldSeeItsOwnExactStates() {
        assertSame(false, true, Steps.sequential());
        assertSame(true, true, Steps.sequential());
    }

    @Test
    void threadsDoNotMatter() {
        try (Workers two = Steps.twoThreads();
                PagePool pool = Steps.pool();
                SequenceCache one = cache(pool, true, true, null, Steps.sequential());
                SequenceCache other = cache(pool, true, true, null, two)) {
            for (int count : COUNTS) {
                assertThat(steps.feed(one, count)).isEqualTo(steps.feed(other, count));
            }
        }
    }

    private void assertSame(boolean together, boolean first, Workers workers) {
        try (PagePool pool = Steps.pool();
                SequenceCache plain = cache(pool, false, false, null, workers);
                SequenceCache other = cache(pool, together, first, null, workers)) {
            for (int count : COUNTS) {
                Steps.assertClose(steps.feed(other, count), steps.feed(plain, count), 2e-6);
            }
        }
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void observerSeesEveryWeightOnce(boolean first) {
        Sums sums = new Sums();
        try (PagePool pool = Steps.pool();
                SequenceCache cache = cache(pool, false, first, sums, Steps.sequential())) {
            int length = 0;
            for (int count : new int[] {300, 1, 20, 70}) {
                sums.weights = new double[SHAPE.kvHeads()][count][length + count];
                steps.feed(cache, count);
                double[][][] expected = weights(length, count);
                for (int h = 0; h < SHAPE.kvHeads(); h++) {
                    for (int t = 0; t < count; t++) {
                        for (int i = 0; i < length + count; i++) {
                            // Both layers are observed; only the last one's weights are kept.
                            double wanted = sums.wants(t) ? expected[h][t][i] : 0;
                            assertThat(sums.weights[h][t][i]).isCloseTo(wanted, offset());
                        }
                    }
                }
                length += count;
            }
        }
    }

    private static org.assertj.core.data.Offset<Double> offset() {
        return org.assertj.core.data.Offset.offset(2e-5);
    }

    /** The weights of the last layer by plain loops, summed over the query heads of each KV head. */
    private double[][][] weights(int length, int count) {
        int d = SHAPE.headDim();
        int g = SHAPE.queriesPerKvHead();
        int layer = SHAPE.layers() - 1;
        float[] keys = steps.states(layer, 0, length + count).keys();
        float[] queries = steps.queries(layer, length, count).queries();
        double[][][] all = new double[SHAPE.kvHeads()][count][length + count];
        for (int head = 0; head < SHAPE.heads(); head++) {
            for (int t = 0; t < count; t++) {
                double[] row = new double[length + t + 1];
                double sum = 0;
                for (int i = 0; i < row.length; i++) {
                    double score = 0;
                    for (int c = 0; c < d; c++) {
                        score += queries[(t * SHAPE.heads() + head) * d + c]
                                * (double) keys[(i * SHAPE.kvHeads() + head / g) * d + c];
                    }
                    row[i] = Math.exp(score / Math.sqrt(d));
                    sum += row[i];
                }
                for (int i = 0; i < row.length; i++) {
                    all[head / g][t][i] += row[i] / sum;
                }
            }
        }
        return all;
    }

    private static SequenceCache cache(
            PagePool pool,
            boolean together,
            boolean first,
            @org.jspecify.annotations.Nullable Sums sums,
            Workers workers) {
        LayerFactory plain = HeadStores.factory(
                SHAPE,
                (layer, kvHead, pages, kernels) -> new Head(
                        new ExactKeys(pages, kernels, Element.F32, SHAPE.headDim(), 64, false),
                        new ExactValues(pages, kernels, Element.F32, SHAPE.headDim(), 64, 0)));
        LayerFactory asking = (layer, pages, kernels) -> new Asking(
                (SingleLayer) plain.group(layer, pages, kernels),
                together,
                first,
                Optional.ofNullable(layer == SHAPE.layers() - 1 ? sums : null));
        return new SequenceCache(CacheSpec.parse("exact"), SHAPE, asking, pool, Kernels.best(), workers);
    }

    /** Wants every third token and adds up what it sees. */
    private static final class Sums implements WeightObserver {
        double[][][] weights = {};
        private int stored;

        @Override
        public void begin(int storedSlots, int count) {
            stored = storedSlots;
        }

        @Override
        public boolean wants(int token) {
            return token % 3 == 0;
        }

        @Override
        public int toSlot() {
            // Where the step is stored first, its tokens are stored slots.
            return weights[0].length == 0 ? 0 : first ? stored + weights[0].length : stored;
        }

        boolean first;

        @Override
        public void observe(int kvHead, int token, float[] seen, int offset, int slot, int count) {
            for (int i = 0; i < count; i++) {
                weights[kvHead][token][slot + i] += seen[offset + i];
            }
        }
    }

    /** A layer that asks for more than its heads do. */
    private record Asking(SingleLayer inner, boolean together, boolean first, Optional<WeightObserver> watcher)
            implements SingleLayer {
        Asking {
            watcher.ifPresent(sums -> ((Sums) sums).first = first);
        }

        @Override
        public int size() {
            return inner.size();
        }

        @Override
        public KeyReader keys(int kvHead) {
            return inner.keys(kvHead);
        }

        @Override
        public ValueReader values(int kvHead) {
            return inner.values(kvHead);
        }

        @Override
        public boolean readsHeadsTogether() {
            return together;
        }

        @Override
        public boolean storesFirst(int count) {
            return first;
        }

        @Override
        public Optional<WeightObserver> observer() {
            return watcher;
        }

        @Override
        public long wantedBytes(int tokens) {
            return inner.wantedBytes(tokens);
        }

        @Override
        public void reserve(int tokens, PagePool.Claim claim) {
            inner.reserve(tokens, claim);
        }

        @Override
        public void begin(TokenStates states, Queries queries) {
            inner.begin(states, queries);
        }

        @Override
        public int appendParts() {
            return inner.appendParts();
        }

        @Override
        public void append(int part, Scratch scratch) {
            inner.append(part, scratch);
        }

        @Override
        public int smallestSize() {
            return inner.smallestSize();
        }

        @Override
        public void truncate(int size) {
            inner.truncate(size);
        }

        @Override
        public Footprint footprint() {
            return inner.footprint();
        }

        @Override
        public SingleLayer fork() {
            return new Asking(inner.fork(), together, first, watcher);
        }

        @Override
        public void write(DataOutput out) {}

        @Override
        public void read(DataInput in, int size) {}

        @Override
        public void release() {
            inner.release();
        }
    }
}
