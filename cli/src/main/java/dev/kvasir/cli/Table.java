package dev.kvasir.cli;

import java.io.PrintStream;
import java.util.ArrayList;
import java.util.List;

/**
 * Rows under headings: text to the left, figures to the right. On a terminal that is too narrow, the
 * columns that do not fit follow below, with the first column again.
 */
public final class Table {
    private static final String GAP = "  ";

    private final List<List<String>> rows = new ArrayList<>();
    private final boolean figures;

    private Table(List<String> headings, boolean figures) {
        this.figures = figures;
        rows.add(List.copyOf(headings));
    }

    /** A table of figures: all columns but the first stand to the right. */
    public static Table ofFigures(List<String> headings) {
        return new Table(headings, true);
    }

    /** A table of text: all columns stand to the left. */
    public static Table ofText(List<String> headings) {
        return new Table(headings, false);
    }

    /** Adds a row of as many cells as there are headings. */
    public void row(List<String> cells) {
        if (cells.size() != rows.getFirst().size()) {
            throw new IllegalArgumentException(cells + " under " + rows.getFirst());
        }
        rows.add(List.copyOf(cells));
    }

    /** Prints the table; only figures that a person reads are fitted to the width. */
    public void print(Terminal terminal) {
        int[] widths = widths();
        int width = figures && terminal.outInteractive() ? terminal.columns() : Integer.MAX_VALUE;
        int from = 1;
        do {
            int used = widths[0];
            int to = from;
            while (to < widths.length && (to == from || used + GAP.length() + widths[to] <= width)) {
                used += GAP.length() + widths[to++];
            }
            if (from > 1) {
                terminal.out().println();
            }
            print(terminal.out(), widths, from, to);
            from = to;
        } while (from < widths.length);
    }

    private void print(PrintStream out, int[] widths, int from, int to) {
        for (List<String> row : rows) {
            StringBuilder line = new StringBuilder(row.getFirst());
            pad(line, widths[0] - row.getFirst().length());
            for (int column = from; column < to; column++) {
                line.append(GAP);
                int spaces = widths[column] - row.get(column).length();
                pad(line, figures ? spaces : 0);
                line.append(row.get(column));
                pad(line, figures ? 0 : spaces);
            }
            out.println(line.toString().stripTrailing());
        }
    }

    private int[] widths() {
        int[] widths = new int[rows.getFirst().size()];
        for (List<String> row : rows) {
            for (int column = 0; column < widths.length; column++) {
                widths[column] = Math.max(widths[column], row.get(column).length());
            }
        }
        return widths;
    }

    private static void pad(StringBuilder line, int spaces) {
        line.repeat(' ', spaces);
    }
}
