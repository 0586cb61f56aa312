package dev.kvasir.cache.transform;

import java.util.Arrays;
import java.util.stream.IntStream;

/** Changes of basis one after another: the stored side and the queries go through them in order, results back in reverse. */
public final class Composition implements Transform {
    private final Transform[] parts;
    private final int width;

    private Composition(Transform[] parts, int width) {
        this.parts = parts;
        this.width = width;
    }

    /**
     * {@code parts} in order, leaving out those that do nothing.
     *
     * @throws IllegalArgumentException if their rows differ in width
     */
    public static Transform of(Transform... parts) {
        Transform[] some = Arrays.stream(parts).filter(part -> !part.isNone()).toArray(Transform[]::new);
        int[] widths = Arrays.stream(some)
                .mapToInt(Transform::width)
                .filter(w -> w > 0)
                .distinct()
                .toArray();
        if (widths.length > 1) {
            throw new IllegalArgumentException("changes of basis of " + widths[0] + " and " + widths[1] + " channels");
        }
        return switch (some.length) {
            case 0 -> NONE;
            case 1 -> some[0];
            default -> new Composition(some, IntStream.of(widths).findFirst().orElse(0));
        };
    }

    @Override
    public boolean isNone() {
        return false;
    }

    @Override
    public int width() {
        return width;
    }

    @Override
    public void apply(float[] x, int offset, int rows) {
        for (Transform part : parts) {
            part.apply(x, offset, rows);
        }
    }

    @Override
    public void applyToQueries(float[] x, int offset, int rows) {
        for (Transform part : parts) {
            part.applyToQueries(x, offset, rows);
        }
    }

    @Override
    public void invert(float[] x, int offset, int rows) {
        for (int i = parts.length - 1; i >= 0; i--) {
            parts[i].invert(x, offset, rows);
        }
    }
}
