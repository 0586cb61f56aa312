package dev.kvasir.cache.method.kvcrush;

import dev.kvasir.cache.selection.Signatures;
import java.util.Arrays;

/**
 * The signatures of one layer's tokens or pages in one step: a row for each that some head could let go, found by its number.
 * A head that no longer holds it says no.
 */
final class Behaviour {
    private final Signatures signatures = new Signatures();
    /** Hash table of rows, counted from 1. */
    private int[] table = new int[256];

    private int[] units = new int[64];
    private int rows;

    /** Tokens seen once the step is over, or -1 before the first. */
    private int seen = -1;

    private int layer;

    /** Begins with no rows. */
    void reset(int ofLayer, int seenTokens) {
        layer = ofLayer;
        seen = seenTokens;
        rows = 0;
        Arrays.fill(table, 0);
    }

    /** Whether it is of that layer and step. */
    boolean isOf(int ofLayer, int seenTokens) {
        return layer == ofLayer && seen == seenTokens;
    }

    /** Adds a token or page, unless it is there; returns its row. */
    int add(int unit) {
        int at = find(unit);
        if (table[at] == 0) {
            if (rows == units.length) {
                grow();
                at = find(unit);
            }
            units[rows++] = unit;
            table[at] = rows;
        }
        return table[at] - 1;
    }

    private void grow() {
        units = Arrays.copyOf(units, rows * 2);
        table = new int[rows * 8];
        for (int row = 0; row < rows; row++) {
            table[find(units[row])] = row + 1;
        }
    }

    /** The row of a token or page, or -1 if it has none. */
    int row(int unit) {
        return table[find(unit)] - 1;
    }

    private int find(int unit) {
        int mask = table.length - 1;
        int at = ((unit * 0x9E3779B9) >>> 7) & mask;
        while (table[at] != 0 && units[table[at] - 1] != unit) {
            at = (at + 1) & mask;
        }
        return at;
    }

    /** Rows there are. */
    int rows() {
        return rows;
    }

    /** The token or page of a row. */
    int unit(int row) {
        return units[row];
    }

    Signatures signatures() {
        return signatures;
    }
}
