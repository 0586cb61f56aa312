package dev.kvasir.tensor;

import static dev.kvasir.tensor.Simd.LANES;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.ShortVector;
import jdk.incubator.vector.VectorOperators;

/**
 * Products of many tokens by a {@link ProductLibrary}: the input is rounded to bf16 once, weights tile by tile as they are
 * needed; those that are bf16 already are read where they lie.
 *
 * <p>A tile of weights and its results belong to the thread that works on it. How rows are cut into tiles depends on the
 * shapes alone.
 */
final class Bf16Products {
    private static final int ALIGNMENT = 64;
    /** Rows of a tile; small matrices are cut finer, so that two threads end together. */
    private static final int ROWS = 128;

    private static final int FEW_ROWS = 64;
    private static final ValueLayout.OfFloat F32 = ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfShort I16 = ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private final ProductLibrary library;
    private final Workers workers;
    private final ThreadLocal<Tile> tiles = ThreadLocal.withInitial(Tile::new);
    private MemorySegment input = MemorySegment.NULL;
    private int tokens;
    private int columns;

    /** What a thread works on. */
    private static final class Tile {
        MemorySegment weights = MemorySegment.NULL;
        MemorySegment results = MemorySegment.NULL;
        float[] row = {};
    }

    Bf16Products(ProductLibrary library, Workers workers) {
        this.library = library;
        this.workers = workers;
    }

    private static MemorySegment atLeast(MemorySegment segment, long bytes) {
        return segment.byteSize() >= bytes ? segment : Arena.ofAuto().allocate(bytes, ALIGNMENT);
    }

    /** Sets the input {@code x [tokens][columns]}. */
    void input(float[] x, int tokens, int columns) {
        this.tokens = tokens;
        this.columns = columns;
        input = atLeast(input, 2L * tokens * columns);
        MemorySegment target = input;
        workers.run(tokens, t -> round(x, t * columns, columns, target, 2L * t * columns));
    }

    /** Writes {@code out [tokens][w.rows()]}. */
    void apply(Matrix w, float[] out) {
        int rows = w.rows();
        int partRows = rows >= 1024 ? ROWS : FEW_ROWS;
        workers.run((rows + partRows - 1) / partRows, part -> {
            int from = part * partRows;
            apply(w, from, Math.min(partRows, rows - from), out);
        });
    }

    private void apply(Matrix w, int from, int count, float[] out) {
        Tile tile = tiles.get();
        tile.results = atLeast(tile.results, 4L * tokens * count);
        library.multiply(input, tokens, weights(w, from, count, tile), count, columns, tile.results);
        for (int t = 0; t < tokens; t++) {
            MemorySegment.copy(tile.results, F32, 4L * t * count, out, t * w.rows() + from, count);
        }
    }

    private static MemorySegment weights(Matrix w, int from, int count, Tile tile) {
        int columns = w.columns();
        if (w.dtype() == DType.BF16 && w.data().isNative()) {
            return w.data().asSlice(2L * from * columns, 2L * count * columns);
        }
        tile.weights = atLeast(tile.weights, 2L * count * columns);
        if (tile.row.length < columns) {
            tile.row = new float[columns];
        }
        for (int r = 0; r < count; r++) {
            RowReader.read(w, from + r, 0, columns, tile.row, 0);
            round(tile.row, 0, columns, tile.weights, 2L * r * columns);
        }
        return tile.weights;
    }

    /** Rounds {@code count} floats to the nearest bf16, ties to even: half of what is cut off is added, less one bit where even. */
    static void round(float[] x, int from, int count, MemorySegment out, long offset) {
        int i = 0;
        for (; i <= count - LANES; i += LANES) {
            IntVector bits = FloatVector.fromArray(Simd.F, x, from + i).reinterpretAsInts();
            IntVector odd = bits.lanewise(VectorOperators.LSHR, 16).and(1);
            ShortVector upper = (ShortVector) bits.add(0x7fff)
                    .add(odd)
                    .lanewise(VectorOperators.LSHR, 16)
                    .convertShape(VectorOperators.I2S, MatVec.HALF, 0);
            upper.intoMemorySegment(out, offset + 2L * i, ByteOrder.LITTLE_ENDIAN);
        }
        for (; i < count; i++) {
            int bits = Float.floatToRawIntBits(x[from + i]);
            out.set(I16, offset + 2L * i, (short) ((bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16));
        }
    }
}
