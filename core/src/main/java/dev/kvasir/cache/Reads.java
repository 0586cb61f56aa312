package dev.kvasir.cache;

/**
 * What a cache that reads only some of its tokens has read, summed over layers and KV heads and over the steps of one token
 * that it has taken; a row is the key and the value of one token in one KV head of one layer.
 *
 * @param steps steps of one token
 * @param rowsHeld rows that a cache which reads everything would have read
 * @param rowsAttended rows that were attended to
 * @param storeBytes bytes of the rows touched: more than those attended to where a store reads runs of tokens
 * @param indexBytes bytes of the index that says which rows to read
 * @param tableBytes bytes of tables that all sequences share: codebooks
 */
public record Reads(long steps, long rowsHeld, long rowsAttended, long storeBytes, long indexBytes, long tableBytes) {
    /** Nothing read, or not counted. */
    public static final Reads NONE = new Reads(0, 0, 0, 0, 0, 0);

    /** What two layers that took the same steps have read. */
    public Reads plus(Reads other) {
        return new Reads(
                Math.max(steps, other.steps),
                rowsHeld + other.rowsHeld,
                rowsAttended + other.rowsAttended,
                storeBytes + other.storeBytes,
                indexBytes + other.indexBytes,
                tableBytes + other.tableBytes);
    }

    /** The share of the rows held that was attended to, 0 to 1; 1 if nothing was counted. */
    public double share() {
        return rowsHeld == 0 ? 1 : (double) rowsAttended / rowsHeld;
    }

    /** Bytes read for one token: rows, index and tables. */
    public double bytesPerStep() {
        return steps == 0 ? 0 : (double) (storeBytes + indexBytes + tableBytes) / steps;
    }
}
