package dev.kvasir.lab.report;

import java.util.ArrayList;
import java.util.List;
import java.util.function.DoubleFunction;

/**
 * Maps values to places along one side of a chart.
 *
 * @param low value at {@code from}
 * @param high value at {@code to}
 * @param logarithmic whether equal ratios have equal lengths; values that are not positive then lie at {@code zeroAt}
 * @param from place of {@code low}
 * @param to place of {@code high}
 * @param zeroAt place of zero on a logarithmic axis
 */
record Axis(double low, double high, boolean logarithmic, double from, double to, double zeroAt) {
    private static final double[] STEPS = {1, 2, 2.5, 5, 10};
    private static final double[] IN_DECADE = {1, 2, 5};
    private static final double PADDING = 0.06;
    /** Below this ratio a logarithmic axis has too few powers of ten to mark. */
    private static final double NARROW = 4;

    private static final int FEW_DECADES = 2;
    private static final int MOST_LABELS = 6;

    /** A value marked on the axis. */
    record Tick(double value, String label) {}

    /** An axis that holds all values; its ends are padded, but never cross {@code floor} or {@code ceiling}. */
    static Axis linear(double[] values, double floor, double ceiling, double from, double to) {
        double min = Double.POSITIVE_INFINITY;
        double max = Double.NEGATIVE_INFINITY;
        for (double value : values) {
            min = Math.min(min, value);
            max = Math.max(max, value);
        }
        double span = max > min ? max - min : Math.max(Math.abs(max) * 0.1, 1e-9);
        double low = Math.max(floor, min - PADDING * span);
        double high = Math.min(ceiling, max + PADDING * span);
        return new Axis(low, high > low ? high : low + span, false, from, to, from);
    }

    /** A logarithmic axis of all positive values; others, if there are any, are set apart at the start. */
    static Axis logarithmic(double[] values, double from, double to) {
        double min = Double.POSITIVE_INFINITY;
        double max = 0;
        boolean zero = false;
        for (double value : values) {
            zero |= !(value > 0);
            if (value > 0) {
                min = Math.min(min, value);
                max = Math.max(max, value);
            }
        }
        if (max == 0) {
            min = 0.1;
            max = 1;
        }
        double padding = Math.max(PADDING * Math.log10(max / min), 0.08);
        double start = zero ? from + (to - from) * 0.12 : from;
        double zeroAt = from + (to - from) * 0.035;
        return new Axis(min / Math.pow(10, padding), max * Math.pow(10, padding), true, start, to, zeroAt);
    }

    /** Place of {@code value}. */
    double at(double value) {
        if (!logarithmic) {
            return from + (to - from) * (value - low) / (high - low);
        }
        return value > 0 ? from + (to - from) * Math.log(value / low) / Math.log(high / low) : zeroAt;
    }

    /** Whether some value is zero and has a place of its own, apart from the logarithmic part. */
    boolean hasZero() {
        return logarithmic && (zeroAt - from) * (to - from) < 0;
    }

    /** Round values along the axis, labelled by {@code format}. */
    List<Tick> ticks(DoubleFunction<String> format) {
        return logarithmic && high / low >= NARROW ? logarithmicTicks(format) : linearTicks(format);
    }

    private List<Tick> linearTicks(DoubleFunction<String> format) {
        double rough = (high - low) / 5;
        double magnitude = Math.pow(10, Math.floor(Math.log10(rough)));
        double step = STEPS[STEPS.length - 1] * magnitude;
        for (int i = STEPS.length - 1; i >= 0 && STEPS[i] * magnitude >= rough * 0.9999; i--) {
            step = STEPS[i] * magnitude;
        }
        List<Tick> ticks = new ArrayList<>();
        for (long i = (long) Math.ceil(low / step - 1e-9); i * step <= high * (1 + 1e-12); i++) {
            ticks.add(new Tick(i * step, format.apply(i * step)));
        }
        return ticks;
    }

    private List<Tick> logarithmicTicks(DoubleFunction<String> format) {
        int first = (int) Math.floor(Math.log10(low));
        int last = (int) Math.ceil(Math.log10(high));
        boolean inBetween = Math.log10(high / low) <= FEW_DECADES;
        int every = Math.max(1, (last - first + MOST_LABELS - 1) / MOST_LABELS);
        List<Tick> ticks = new ArrayList<>();
        for (int decade = first; decade <= last; decade++) {
            for (double factor : IN_DECADE) {
                double value = factor * Math.pow(10, decade);
                boolean shown = factor == 1 ? Math.floorMod(decade, every) == 0 : inBetween;
                if (shown && value >= low && value <= high) {
                    ticks.add(new Tick(value, format.apply(value)));
                }
            }
        }
        return ticks;
    }
}
