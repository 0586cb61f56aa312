package dev.kvasir.cache.store;

import dev.kvasir.cache.kernel.PackedLayout;
import dev.kvasir.cache.kernel.PackedLayout.Axis;
import dev.kvasir.cache.kernel.Quantizer;
import dev.kvasir.cache.kernel.StepDown;
import java.util.ArrayList;
import java.util.List;

/**
 * The stairs that segments of tokens go down as they age, one page a segment: each stair but the last holds one segment, the
 * last all older ones. All stairs of a segment share the minima and steps it got first, which are those of the last stair.
 */
public final class Stairs {
    private final int segment;
    private final List<PackedLayout> layouts = new ArrayList<>();
    /** {@code factors[from][to]}: what a code is multiplied by on the way. */
    private final int[][][] factors;

    /**
     * Stairs for pages of {@code lanes} x {@code depth} numbers in groups of lanes.
     *
     * @param segment tokens of a page
     * @param bits widths of the codes, falling
     */
    public Stairs(int segment, int lanes, int depth, int group, List<Integer> bits) {
        this.segment = segment;
        int last = bits.getLast();
        for (int width : bits) {
            layouts.add(new PackedLayout(lanes, depth, width, group, Axis.PER_DEPTH, Quantizer.nested(width, last)));
        }
        factors = new int[bits.size()][bits.size()][];
        for (int from = 0; from < bits.size(); from++) {
            for (int to = from + 1; to < bits.size(); to++) {
                factors[from][to] = path(bits.subList(from, to + 1));
            }
        }
    }

    /** Straight down where the grids nest, else over every stair as a segment does that comes alone. */
    private static int[] path(List<Integer> bits) {
        boolean nests = true;
        for (int i = 1; i < bits.size(); i++) {
            nests &= StepDown.nests(bits.get(i - 1), bits.get(i));
        }
        if (nests) {
            return new int[] {StepDown.factor(bits.getFirst(), bits.getLast())};
        }
        int[] path = new int[bits.size() - 1];
        for (int i = 0; i < path.length; i++) {
            path[i] = StepDown.factor(bits.get(i), bits.get(i + 1));
        }
        return path;
    }

    /** Tokens of a segment. */
    public int segment() {
        return segment;
    }

    /** Stairs. */
    public int count() {
        return layouts.size();
    }

    /** The layout of a stair's pages; the first is that of the newest segment. */
    public PackedLayout layout(int stair) {
        return layouts.get(stair);
    }

    /** Segments on a stair when there are {@code segments} in all. */
    public int on(int stair, int segments) {
        int above = Math.min(segments, stair);
        return stair == count() - 1 ? segments - above : Math.min(1, segments - above);
    }

    int[] factors(int from, int to) {
        return factors[from][to];
    }
}
