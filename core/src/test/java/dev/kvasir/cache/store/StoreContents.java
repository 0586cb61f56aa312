package dev.kvasir.cache.store;

import dev.kvasir.cache.kernel.Kernels;
import dev.kvasir.cache.kernel.PackedLayout;
import java.lang.foreign.MemorySegment;

/** Reads stores element by element, as their layouts define them and without any kernel's help. */
public final class StoreContents {
    private StoreContents() {}

    /** Keys {@code [size][headDim]} as they would be decoded. */
    public static float[][] keys(KeyStore store, int headDim) {
        return switch (store) {
            case SinkKeys keys -> concat(keys(keys.rest(), headDim), rows(keys.sinks(), headDim));
            case StairKeys keys -> {
                float[][] rows = new float[0][];
                for (int stair = 0; stair < keys.stairs(); stair++) {
                    rows = concat(keys(keys.stair(stair), headDim), rows);
                }
                yield rows;
            }
            case FlushingKeys keys -> concat(keys(keys.packed(), headDim), keys(keys.window(), headDim));
            case PackedKeys keys -> {
                float[][] rows = new float[keys.size()][headDim];
                for (int t = 0; t < rows.length; t++) {
                    for (int c = 0; c < headDim; c++) {
                        rows[t][c] = element(
                                keys.layout(),
                                keys.page(t),
                                c,
                                t % keys.layout().lanes());
                    }
                }
                yield rows;
            }
            case ExactKeys keys -> {
                float[][] rows = new float[keys.size()][headDim];
                float[] panel = new float[headDim * Kernels.PANEL];
                for (int t = 0; t < rows.length; t++) {
                    if (t % Kernels.PANEL == 0) {
                        keys.panel(t, panel, 0, Kernels.PANEL);
                    }
                    for (int c = 0; c < headDim; c++) {
                        rows[t][c] = panel[c * Kernels.PANEL + t % Kernels.PANEL];
                    }
                }
                yield rows;
            }
            default -> throw new IllegalArgumentException(store.toString());
        };
    }

    /** Values {@code [size][headDim]} as they would be decoded. */
    public static float[][] values(ValueStore store, int headDim) {
        return switch (store) {
            case SinkValues values -> concat(values(values.rest(), headDim), rows(values.sinks(), headDim));
            case StairValues values -> {
                float[][] rows = new float[0][];
                for (int stair = 0; stair < values.stairs(); stair++) {
                    rows = concat(values(values.stair(stair), headDim), rows);
                }
                yield rows;
            }
            case GatheringValues values -> concat(values(values.packed(), headDim), values(values.begun(), headDim));
            case SlidingValues values -> concat(values(values.packed(), headDim), values(values.window(), headDim));
            case FlushingValues values -> concat(values(values.packed(), headDim), values(values.window(), headDim));
            case PackedValues values -> {
                float[][] rows = new float[values.size()][headDim];
                for (int t = 0; t < rows.length; t++) {
                    for (int c = 0; c < headDim; c++) {
                        rows[t][c] = element(
                                values.layout(),
                                values.page(t),
                                t % values.layout().depth(),
                                c);
                    }
                }
                yield rows;
            }
            case ExactValues values -> {
                float[] flat = new float[values.size() * headDim];
                values.copyOldest(values.size(), flat);
                float[][] rows = new float[values.size()][];
                for (int t = 0; t < rows.length; t++) {
                    rows[t] = java.util.Arrays.copyOfRange(flat, t * headDim, (t + 1) * headDim);
                }
                yield rows;
            }
            default -> throw new IllegalArgumentException(store.toString());
        };
    }

    /** Codes {@code [size][headDim]} of packed keys. */
    public static int[][] codes(PackedKeys keys) {
        PackedLayout layout = keys.layout();
        int[][] codes = new int[keys.size()][layout.depth()];
        for (int t = 0; t < codes.length; t++) {
            for (int c = 0; c < codes[t].length; c++) {
                codes[t][c] = layout.code(keys.page(t), c, t % layout.lanes());
            }
        }
        return codes;
    }

    /** Codes {@code [size][headDim]} of packed values. */
    public static int[][] codes(PackedValues values) {
        PackedLayout layout = values.layout();
        int[][] codes = new int[values.size()][layout.lanes()];
        for (int t = 0; t < codes.length; t++) {
            for (int c = 0; c < codes[t].length; c++) {
                codes[t][c] = layout.code(values.page(t), t % layout.depth(), c);
            }
        }
        return codes;
    }

    /** The scale of one element of packed keys. */
    public static float scale(PackedKeys keys, int token, int channel) {
        return keys.layout()
                .scale(keys.page(token), channel, token % keys.layout().lanes());
    }

    /** The scale of one element of packed values. */
    public static float scale(PackedValues values, int token, int channel) {
        return values.layout().scale(values.page(token), token % values.layout().depth(), channel);
    }

    private static float element(PackedLayout layout, MemorySegment page, int depth, int lane) {
        return layout.value(page, depth, lane);
    }

    private static float[][] rows(float[] flat, int headDim) {
        float[][] rows = new float[flat.length / headDim][];
        for (int t = 0; t < rows.length; t++) {
            rows[t] = java.util.Arrays.copyOfRange(flat, t * headDim, (t + 1) * headDim);
        }
        return rows;
    }

    private static float[][] concat(float[][] a, float[][] b) {
        float[][] all = java.util.Arrays.copyOf(a, a.length + b.length);
        System.arraycopy(b, 0, all, a.length, b.length);
        return all;
    }
}
