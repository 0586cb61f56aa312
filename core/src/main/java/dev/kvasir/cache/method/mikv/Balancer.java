package dev.kvasir.cache.method.mikv;

import dev.kvasir.cache.CacheFileException;
import dev.kvasir.cache.CacheShape;
import dev.kvasir.cache.PagePool;
import dev.kvasir.cache.store.TokenNumbers;
import java.io.DataInput;
import java.io.DataOutput;
import java.io.IOException;

/**
 * A factor b for each channel of each KV head of a layer: keys are stored as b k and met by queries q / b, so that q . k
 * stays and channels of outlying keys become level (MiKV, section 3.3).
 *
 * <p>{@code b = sqrt(max |q| / max |k|)} over the prompt after RoPE, the queries' maximum over all query heads of the
 * KV head; 1 where a maximum is 0 or there is no prompt. What is stored, b k, is at most {@code sqrt(max |q| max |k|)} in
 * the prompt, so it fits F16 wherever queries and keys do.
 */
final class Balancer {
    private final CacheShape shape;
    /** {@code [kvHeads][headDim]}, in one page. */
    private final TokenNumbers factors;

    Balancer(CacheShape shape, PagePool pool) {
        this(shape, new TokenNumbers(pool, shape.kvHeads() * shape.headDim()));
    }

    private Balancer(CacheShape shape, TokenNumbers factors) {
        this.shape = shape;
        this.factors = factors;
    }

    /** Bytes of a layer's factors. */
    static long bytes(CacheShape shape) {
        return 4L * shape.kvHeads() * shape.headDim();
    }

    private int missing() {
        return shape.kvHeads() * shape.headDim() - factors.size();
    }

    long wantedBytes() {
        return missing() == 0 ? 0 : factors.wantedBytes(missing(), false);
    }

    void reserve(PagePool.Claim claim) {
        if (missing() > 0) {
            factors.reserve(missing(), false, claim);
        }
    }

    /** Sets all factors to 1, for want of a prompt. */
    void clear() {
        for (int c = missing(); c > 0; c--) {
            factors.append(1f);
        }
    }

    /**
     * Sets the factors of one head.
     *
     * @param keys {@code [count][kvHeads][headDim]} after RoPE
     * @param queries {@code [count][heads][headDim]} after RoPE
     */
    void measure(int kvHead, float[] keys, float[] queries, int count) {
        int group = shape.queriesPerKvHead();
        for (int c = 0; c < shape.headDim(); c++) {
            float key = 0;
            float query = 0;
            for (int t = 0; t < count; t++) {
                key = Math.max(key, Math.abs(keys[(t * shape.kvHeads() + kvHead) * shape.headDim() + c]));
                int first = (t * shape.heads() + kvHead * group) * shape.headDim() + c;
                for (int g = 0; g < group; g++) {
                    query = Math.max(query, Math.abs(queries[first + g * shape.headDim()]));
                }
            }
            factors.set(kvHead * shape.headDim() + c, level(query, key));
        }
    }

    /** The factor of a channel whose largest magnitudes are these. */
    static float level(float query, float key) {
        float factor = (float) Math.sqrt((double) query / key);
        return Float.isFinite(factor) && factor > 0 ? factor : 1;
    }

    /** The factor of a channel. */
    float factor(int kvHead, int channel) {
        return factors.decimal(kvHead * shape.headDim() + channel);
    }

    /** {@code out = b x}, for one key of a head. */
    void balance(int kvHead, float[] key, int offset, float[] out, int outOffset) {
        for (int c = 0; c < shape.headDim(); c++) {
            out[outOffset + c] = key[offset + c] * factor(kvHead, c);
        }
    }

    /** {@code out = x / b}: of a query, or of a stored key. */
    void unbalance(int kvHead, float[] row, int offset, float[] out, int outOffset) {
        for (int c = 0; c < shape.headDim(); c++) {
            out[outOffset + c] = row[offset + c] / factor(kvHead, c);
        }
    }

    long bytes() {
        return factors.bytes();
    }

    Balancer fork() {
        return new Balancer(shape, factors.fork());
    }

    void write(DataOutput out) throws IOException {
        factors.write(out);
    }

    void read(DataInput in) throws IOException {
        factors.read(in, shape.kvHeads() * shape.headDim());
        for (int c = 0; c < factors.size(); c++) {
            float factor = factors.decimal(c);
            if (!Float.isFinite(factor) || factor <= 0) {
                throw new CacheFileException(
                        "balancer of channel " + c + " is " + factor + ", allowed are numbers above 0");
            }
        }
    }

    void release() {
        factors.release();
    }
}
