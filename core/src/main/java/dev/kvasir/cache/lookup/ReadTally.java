package dev.kvasir.cache.lookup;

import dev.kvasir.cache.Reads;
import dev.kvasir.cache.kernel.Kernels;
import java.util.function.DoubleSupplier;

/** Counts what the steps of one token have read of a layer: of each head by whoever chooses for it, then summed. */
final class ReadTally {
    private final long[] attended;
    private final long[] touched;
    private final long[] indexBytes;
    private final long[] tableBytes;
    private long steps;
    private long held;

    ReadTally(int kvHeads) {
        attended = new long[kvHeads];
        touched = new long[kvHeads];
        indexBytes = new long[kvHeads];
        tableBytes = new long[kvHeads];
    }

    /** A step with {@code stored} tokens before it. */
    void step(int stored, boolean choosing) {
        steps++;
        held += (long) stored * attended.length;
        if (!choosing) {
            for (int h = 0; h < attended.length; h++) {
                attended[h] += stored;
                touched[h] += stored;
            }
        }
    }

    /** What was chosen for a head. */
    void head(int kvHead, Chosen chosen, boolean byRows, long index, long table) {
        attended[kvHead] += chosen.count();
        touched[kvHead] += byRows ? chosen.count() : chosen.touched(Kernels.PANEL);
        indexBytes[kvHead] += index;
        tableBytes[kvHead] += table;
    }

    Reads reads(DoubleSupplier rowBytes) {
        long rows = 0;
        long read = 0;
        long index = 0;
        long table = 0;
        for (int h = 0; h < attended.length; h++) {
            rows += attended[h];
            read += touched[h];
            index += indexBytes[h];
            table += tableBytes[h];
        }
        return new Reads(steps, held, rows, Math.round(read * rowBytes.getAsDouble()), index, table);
    }
}
