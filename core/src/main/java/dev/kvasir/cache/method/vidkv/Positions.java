package dev.kvasir.cache.method.vidkv;

import dev.kvasir.InvalidInputException;
import java.util.ArrayList;
import java.util.List;

/** A set of token positions, given as ranges in any order. */
final class Positions {
    private final List<Range> ranges;
    private final int count;

    /** Positions {@code from} to {@code to - 1}, with so many of the set before them. */
    private record Range(int from, int to, int before) {}

    private Positions(List<Range> ranges) {
        this.ranges = ranges;
        this.count = ranges.isEmpty()
                ? 0
                : ranges.getLast().before()
                        + ranges.getLast().to()
                        - ranges.getLast().from();
    }

    /** Parses {@code 5+32..63}; an empty text is the empty set. */
    static Positions parse(String text) {
        List<int[]> found = new ArrayList<>();
        for (String part : text.isEmpty() ? new String[0] : text.split("\\+", -1)) {
            int dots = part.indexOf("..");
            int first = Integer.parseInt(dots < 0 ? part : part.substring(0, dots));
            int last = dots < 0 ? first : Integer.parseInt(part.substring(dots + 2));
            if (last < first) {
                throw new InvalidInputException("vidkv: protect: found " + part + ", which ends before it begins");
            }
            found.add(new int[] {first, last + 1});
        }
        found.sort((a, b) -> Integer.compare(a[0], b[0]));
        List<Range> ranges = new ArrayList<>();
        int before = 0;
        int end = 0;
        for (int[] range : found) {
            if (range[0] < end) {
                throw new InvalidInputException("vidkv: protect: position " + range[0] + " is given twice");
            }
            ranges.add(new Range(range[0], range[1], before));
            before += range[1] - range[0];
            end = range[1];
        }
        return new Positions(ranges);
    }

    int count() {
        return count;
    }

    /** How many positions of the set are below {@code position}. */
    int before(int position) {
        int low = 0;
        int high = ranges.size();
        while (low < high) {
            int middle = (low + high) >>> 1;
            if (ranges.get(middle).from() < position) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        if (low == 0) {
            return 0;
        }
        Range range = ranges.get(low - 1);
        return range.before() + Math.min(position, range.to()) - range.from();
    }

    boolean contains(int position) {
        return before(position + 1) > before(position);
    }

    /** The first position after {@code position}, at most {@code limit}, where membership changes. */
    int runEnd(int position, int limit) {
        boolean inside = contains(position);
        for (int i = 0; i < ranges.size(); i++) {
            int border = inside ? ranges.get(i).to() : ranges.get(i).from();
            // Ranges that touch are one run.
            if (border > position && contains(border) != inside) {
                return Math.min(border, limit);
            }
        }
        return limit;
    }
}
