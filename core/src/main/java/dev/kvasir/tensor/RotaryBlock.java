package dev.kvasir.tensor;

import static dev.kvasir.tensor.Simd.F;
import static dev.kvasir.tensor.Simd.LANES;

import jdk.incubator.vector.FloatVector;

/**
 * Rotary embedding of keys that are stored before it, on read, {@value #TOKENS} tokens at a time.
 *
 * <p>A rotation by position {@code t0 + j} is one by {@code t0} after one by {@code j}. The tokens of a block are turned by
 * their {@code j} alone, from a table that stays in the first-level cache and serves all blocks, heads and layers; the
 * query is {@linkplain #turnBack turned back} by {@code t0} once for the block (KVQuant, arXiv 2401.18079, rotates each key
 * by its position instead). Inner products come out the same: {@code <R(p) q, R(t0 + j) k> = <R(-t0) R(p) q, R(j) k>}.
 */
public final class RotaryBlock {
    /** Tokens of a block. */
    public static final int TOKENS = 32;

    private final RotaryTable table;
    private final int half;
    /** Of offset j and pair i at {@code [i][j]}. */
    private final float[] cosines;

    private final float[] sines;

    /** Blocks under the rotary embedding of {@code table}. */
    public RotaryBlock(RotaryTable table) {
        this(table, 1);
    }

    /** The same for keys that must be multiplied by {@code factor} as well, which then costs nothing. */
    public RotaryBlock(RotaryTable table, float factor) {
        this.table = table;
        this.half = table.headDim() / 2;
        this.cosines = new float[half * TOKENS];
        this.sines = new float[half * TOKENS];
        table.reach(TOKENS - 1);
        for (int j = 0; j < TOKENS; j++) {
            int at = table.offset(j);
            for (int i = 0; i < half; i++) {
                cosines[i * TOKENS + j] = factor * table.cosines(j)[at + i];
                sines[i * TOKENS + j] = factor * table.sines(j)[at + i];
            }
        }
    }

    /**
     * Turns a head's keys of a block, {@code tile[headDim][32]}, in place: token {@code j} by {@code j} positions.
     *
     * @param offset of channel 0 of the head
     */
    public void turn(float[] tile, int offset) {
        for (int j = 0; j < TOKENS; j += LANES) {
            turnLanes(tile, offset + j, j);
        }
    }

    private void turnLanes(float[] tile, int offset, int j) {
        int apart = half * TOKENS;
        for (int i = 0; i < apart; i += TOKENS) {
            FloatVector a = FloatVector.fromArray(F, tile, offset + i);
            FloatVector b = FloatVector.fromArray(F, tile, offset + apart + i);
            FloatVector cosine = FloatVector.fromArray(F, cosines, j + i);
            FloatVector sine = FloatVector.fromArray(F, sines, j + i);
            a.mul(cosine).sub(b.mul(sine)).intoArray(tile, offset + i);
            b.mul(cosine).add(a.mul(sine)).intoArray(tile, offset + apart + i);
        }
    }

    /** Cosines of pair {@code i} and offset {@code j} at {@code [i][j]}, {@code [headDim / 2][32]}; nobody writes to it. */
    public float[] cosines() {
        return cosines;
    }

    /** Sines, as {@link #cosines}. */
    public float[] sines() {
        return sines;
    }

    /**
     * What {@link #turn} and inner products with one query would give, without writing the turned keys: {@code out[j]} for the
     * block's 32 tokens.
     *
     * @param query turned back, {@code [headDim]}
     * @param tile {@code [headDim][32]}, as stored
     */
    public void dots(float[] query, int queryOffset, float[] tile, int offset, float[] out, int outOffset) {
        for (int j = 0; j < TOKENS; j += LANES) {
            dotLanes(query, queryOffset, tile, offset + j, j, out, outOffset + j);
        }
    }

    private void dotLanes(float[] query, int q, float[] tile, int offset, int j, float[] out, int o) {
        int apart = half * TOKENS;
        FloatVector even = FloatVector.zero(F);
        FloatVector odd = FloatVector.zero(F);
        for (int i = 0, at = 0; i < half; i++, at += TOKENS) {
            FloatVector a = FloatVector.fromArray(F, tile, offset + at);
            FloatVector b = FloatVector.fromArray(F, tile, offset + apart + at);
            FloatVector x = FloatVector.broadcast(F, query[q + i]);
            FloatVector y = FloatVector.broadcast(F, query[q + half + i]);
            FloatVector cosine = FloatVector.fromArray(F, cosines, j + at);
            FloatVector sine = FloatVector.fromArray(F, sines, j + at);
            even = a.mul(x).add(b.mul(y)).fma(cosine, even);
            odd = a.mul(y).sub(b.mul(x)).fma(sine, odd);
        }
        even.add(odd).intoArray(out, o);
    }

    /**
     * Turns rotated queries back by the position of a block's first token.
     *
     * @param position must have been {@linkplain RotaryTable#reach reached}
     * @param queries {@code [rows][headDim]}
     * @param out receives {@code [rows][headDim]}
     */
    public void turnBack(int position, float[] queries, int offset, int rows, float[] out, int outOffset) {
        float[] cosine = table.cosines(position);
        float[] sine = table.sines(position);
        int angles = table.offset(position);
        for (int r = 0; r < rows; r++) {
            int row = r * 2 * half;
            turnRowBack(queries, offset + row, cosine, sine, angles, out, outOffset + row);
        }
    }

    private void turnRowBack(float[] x, int x0, float[] cosine, float[] sine, int angles, float[] out, int out0) {
        int bound = F.loopBound(half);
        for (int i = 0; i < bound; i += LANES) {
            FloatVector a = FloatVector.fromArray(F, x, x0 + i);
            FloatVector b = FloatVector.fromArray(F, x, x0 + half + i);
            FloatVector c = FloatVector.fromArray(F, cosine, angles + i);
            FloatVector s = FloatVector.fromArray(F, sine, angles + i);
            a.mul(c).add(b.mul(s)).intoArray(out, out0 + i);
            b.mul(c).sub(a.mul(s)).intoArray(out, out0 + half + i);
        }
        for (int i = bound; i < half; i++) {
            float a = x[x0 + i];
            float b = x[x0 + half + i];
            out[out0 + i] = a * cosine[angles + i] + b * sine[angles + i];
            out[out0 + half + i] = b * cosine[angles + i] - a * sine[angles + i];
        }
    }
}
