package dev.kvasir.tensor;

import java.util.Arrays;
import java.util.Optional;

/**
 * The product with a weight matrix, {@code out[t][r] = sum over c of w[r][c] * x[t][c]}, in f32 whatever the weights are,
 * unless another {@link Precision} is asked for.
 *
 * <p>Give the input once, then apply any number of matrices to it. One token goes through {@link MatVec}, up to {@value #FEW} through {@link Dots}, which
 * read every weight once from memory; more are packed once for all matrices and go through {@link Panels},
 * or {@link Bf16Products}. How the
 * work is cut depends on the shapes alone, so results are the same for any number of threads. Not for several
 * threads at once.
 */
public final class Linear {
    /** Most tokens for which reading the weights takes longer than multiplying them. */
    private static final int FEW = 8;

    /** Fewer multiplications than this are not worth a hand-off. */
    private static final int SMALL = 1 << 16;

    /** Weights of one part of {@link Dots} work. */
    private static final int PART = 1 << 15;

    /** Columns of a panel in flight: a wide panel's piece and the weights' stay in the first-level cache. */
    private static final int CHUNK = 256;

    /** Columns of four rows in flight for {@link Dots}, likewise. */
    private static final int ROW_CHUNK = 1024;

    private final Workers workers;
    private final Optional<Bf16Products> library;
    private final ThreadLocal<float[]> weightScratch = ThreadLocal.withInitial(() -> new float[0]);
    private final ThreadLocal<float[]> tileScratch = ThreadLocal.withInitial(() -> new float[0]);
    private float[] x = {};
    private int tokens;
    private int columns;
    private float[] packed = {};
    private boolean isPacked;

    /** Products in F32 that share the work among {@code workers}. */
    public Linear(Workers workers) {
        this(workers, Precision.F32);
    }

    /** Products that share the work among {@code workers}. */
    public Linear(Workers workers, Precision precision) {
        this.workers = workers;
        this.library = precision.library().map(found -> new Bf16Products(found, workers));
    }

    /** Sets the input {@code x [tokens][columns]} of the products that follow; it must not change while they are made. */
    public void input(float[] x, int tokens, int columns) {
        if ((long) tokens * columns > x.length) {
            throw new IllegalArgumentException(
                    "input [" + tokens + "][" + columns + "] does not fit an array of " + x.length);
        }
        this.x = x;
        this.tokens = tokens;
        this.columns = columns;
        isPacked = false;
    }

    /** Writes {@code out [tokens][w.rows()]}. */
    public void apply(Matrix w, float[] out) {
        if (w.columns() != columns || (long) tokens * w.rows() > out.length) {
            throw new IllegalArgumentException("weights [" + w.rows() + "][" + w.columns() + "] cannot map " + tokens
                    + " tokens of " + columns + " columns to an array of " + out.length);
        }
        if (tokens <= FEW) {
            applyToFew(w, out);
        } else if (library.isPresent()) {
            if (!isPacked) {
                library.get().input(x, tokens, columns);
                isPacked = true;
            }
            library.get().apply(w, out);
        } else {
            applyToMany(w, out);
        }
    }

    private void applyToFew(Matrix w, float[] out) {
        int rows = w.rows();
        boolean small = (long) rows * columns * tokens < SMALL;
        int partRows = small ? rows : Math.max(4, PART / columns / 4 * 4);
        int parts = (rows + partRows - 1) / partRows;
        workers.run(parts, part -> {
            int from = part * partRows;
            int to = Math.min(rows, from + partRows);
            if (tokens == 1 && MatVec.serves(w.dtype())) {
                MatVec.set(w, from, to, x, out);
            } else {
                addRows(w, from, to, out);
            }
        });
    }

    private void addRows(Matrix w, int from, int to, float[] out) {
        for (int t = 0; t < tokens; t++) {
            Arrays.fill(out, t * w.rows() + from, t * w.rows() + to, 0);
        }
        int chunk = Math.min(columns, ROW_CHUNK);
        // Rows a whole page apart would fight for the same places in the cache.
        boolean inOneGo = chunk == columns && columns <= ROW_CHUNK / 2;
        int stride = inOneGo ? columns : chunk + 16;
        float[] scratch = scratch(weightScratch, 4 * stride);
        for (int row = from; row < to; row += 4) {
            addRows(w, row, Math.min(4, to - row), chunk, stride, scratch, out);
        }
    }

    private void addRows(Matrix w, int row, int count, int chunk, int stride, float[] scratch, float[] out) {
        for (int column = 0; column < columns; column += chunk) {
            int width = Math.min(chunk, columns - column);
            if (stride == columns) {
                RowReader.read(w, row, 0, count * columns, scratch, 0);
            } else {
                for (int r = 0; r < count; r++) {
                    RowReader.read(w, row + r, column, width, scratch, r * stride);
                }
            }
            Dots.add(scratch, stride, count, x, column, columns, tokens, width, out, row, w.rows());
        }
    }

    private void applyToMany(Matrix w, float[] out) {
        int padded = Panels.paddedTokens(tokens);
        pack(padded);
        int rows = w.rows();
        // Small matrices are cut finer, so that two threads end together.
        int partRows = (rows >= 1024 ? 8 : 4) * Panels.ROWS;
        int parts = (rows + partRows - 1) / partRows;
        workers.run(parts, part -> {
            int from = part * partRows;
            int count = Math.min(partRows, rows - from);
            int tileRows = (count + Panels.ROWS - 1) / Panels.ROWS * Panels.ROWS;
            float[] tiles = scratch(tileScratch, tileRows * padded);
            Arrays.fill(tiles, 0, tileRows * padded, 0);
            addPanels(w, from, count, tileRows, padded, tiles);
            store(tiles, tileRows, padded, from, count, out, rows);
        });
    }

    private void pack(int padded) {
        if (isPacked) {
            return;
        }
        packed = atLeast(packed, Math.multiplyExact(padded, columns));
        int panels = (padded + Panels.WIDE - 1) / Panels.WIDE;
        boolean small = (long) tokens * columns < SMALL;
        workers.run(small ? 1 : panels, part -> {
            for (int p = small ? 0 : part; p < (small ? panels : part + 1); p++) {
                Panels.pack(x, tokens, columns, p * Panels.WIDE, packed);
            }
        });
        isPacked = true;
    }

    private void addPanels(Matrix w, int from, int count, int tileRows, int padded, float[] tiles) {
        float[] scratch = scratch(weightScratch, tileRows * CHUNK);
        Arrays.fill(scratch, count * CHUNK, tileRows * CHUNK, 0);
        for (int column = 0; column < columns; column += CHUNK) {
            int width = Math.min(CHUNK, columns - column);
            for (int r = 0; r < count; r++) {
                RowReader.read(w, from + r, column, width, scratch, r * CHUNK);
            }
            for (int first = 0; first < padded; first += Panels.WIDE) {
                int panel = Panels.width(first, padded);
                int x0 = first * columns + column * panel;
                for (int r = 0; r < tileRows; r += Panels.ROWS) {
                    int c0 = first * tileRows + r * panel;
                    if (panel == Panels.WIDE) {
                        Panels.addWide(scratch, r * CHUNK, CHUNK, packed, x0, width, tiles, c0);
                    } else {
                        Panels.addNarrow(scratch, r * CHUNK, CHUNK, packed, x0, width, tiles, c0);
                    }
                }
            }
        }
    }

    /** Turns tiles {@code [panel][row][token of panel]} into {@code out [token][row]}. */
    private void store(float[] tiles, int tileRows, int padded, int from, int count, float[] out, int rows) {
        for (int t = 0; t < tokens; t++) {
            int first = t / Panels.WIDE * Panels.WIDE;
            int panel = Panels.width(first, padded);
            int source = first * tileRows + t - first;
            int target = t * rows + from;
            for (int r = 0; r < count; r++) {
                out[target + r] = tiles[source + r * panel];
            }
        }
    }

    private static float[] scratch(ThreadLocal<float[]> holder, int length) {
        float[] held = holder.get();
        if (held.length < length) {
            held = new float[length];
            holder.set(held);
        }
        return held;
    }

    private static float[] atLeast(float[] array, int length) {
        return array.length >= length ? array : new float[length];
    }
}
