package dev.kvasir.lab.report;

import dev.kvasir.lab.metric.Spread;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.stream.DoubleStream;

/** A quantity against depth: a line per cache through its medians, bars from the least to the largest repetition. */
final class LineChart {
    private static final double LINE_END = Plot.RIGHT - 26;
    private static final double BADGE_AT = Plot.RIGHT - 4;

    /** One cache: its value at each depth. */
    record Line(int series, String name, List<Integer> depths, List<Spread> values) {}

    /**
     * What the vertical axis shows.
     *
     * @param name on the axis
     * @param unit behind a value
     * @param fromZero whether the axis begins at zero, so that heights can be held against each other
     */
    record Quantity(String name, String unit, boolean fromZero) {}

    private LineChart() {}

    /** The chart as SVG. */
    static String draw(String id, String title, Quantity quantity, List<Line> lines) {
        double[] depths = lines.stream()
                .flatMapToDouble(line -> line.depths.stream().mapToDouble(Integer::doubleValue))
                .toArray();
        double[] values = lines.stream()
                .flatMap(line -> line.values.stream())
                .flatMapToDouble(
                        value -> DoubleStream.of(quantity.fromZero ? 0 : value.min(), value.min(), value.max()))
                .toArray();
        double deepest = Arrays.stream(depths).max().orElse(1);
        Axis x = new Axis(0, Math.max(1, deepest), false, Plot.LEFT + 8, LINE_END, 0);
        Axis y = Axis.linear(values, 0, Double.POSITIVE_INFINITY, Plot.BOTTOM, Plot.TOP);
        Plot plot = new Plot(id, title, describe(quantity, lines));
        plot.axes(
                x,
                "tokens in the cache",
                value -> Numbers.count(Math.round(value)),
                y,
                quantity.name,
                value -> Numbers.plain(value, 4));
        lines.forEach(line -> draw(plot, line, x, y));
        badges(plot, quantity, lines, y);
        return plot.finish();
    }

    private static void draw(Plot plot, Line line, Axis x, Axis y) {
        StringBuilder path = new StringBuilder();
        String colour = Plot.colour(line.series);
        for (int i = 0; i < line.depths.size(); i++) {
            double px = x.at(line.depths.get(i));
            Spread value = line.values.get(i);
            path.append(path.isEmpty() ? "M" : " L")
                    .append(Math.round(px * 10) / 10.0)
                    .append(' ')
                    .append(Math.round(y.at(value.median()) * 10) / 10.0);
            plot.svg()
                    .empty(
                            "line",
                            "class",
                            "range " + colour,
                            "x1",
                            px,
                            "x2",
                            px,
                            "y1",
                            y.at(value.min()),
                            "y2",
                            y.at(value.max()));
            plot.svg().empty("circle", "class", "dot " + colour, "cx", px, "cy", y.at(value.median()), "r", 2.5);
        }
        plot.svg().empty("path", "class", "line " + colour, "d", path.toString());
    }

    /** Badges at the right, in the order of the lines' ends, pushed apart until none covers another. */
    private static void badges(Plot plot, Quantity quantity, List<Line> lines, Axis y) {
        List<Line> sorted = lines.stream()
                .sorted(Comparator.comparingDouble(
                        line -> y.at(line.values.getLast().median())))
                .toList();
        double[] places = sorted.stream()
                .mapToDouble(line -> y.at(line.values.getLast().median()))
                .toArray();
        spread(places, 2 * Plot.BADGE + 1, Plot.TOP + Plot.BADGE - 10, Plot.BOTTOM - Plot.BADGE);
        for (int i = 0; i < places.length; i++) {
            Line line = sorted.get(i);
            double end = y.at(line.values.getLast().median());
            plot.svg().empty("line", "class", "leader", "x1", LINE_END, "y1", end, "x2", BADGE_AT, "y2", places[i]);
            plot.badge(
                    line.series,
                    BADGE_AT,
                    places[i],
                    line.name + ": " + Numbers.significant(line.values.getLast().median(), 3) + " " + quantity.unit
                            + " at depth " + Numbers.count(line.depths.getLast()));
        }
    }

    /** Moves ascending places to be at least {@code gap} apart and inside the limits, while there is room. */
    static void spread(double[] places, double gap, double least, double most) {
        for (int i = 0; i < places.length; i++) {
            places[i] = Math.max(places[i], i == 0 ? least : places[i - 1] + gap);
        }
        for (int i = places.length - 1; i >= 0; i--) {
            places[i] = Math.min(places[i], i == places.length - 1 ? most : places[i + 1] - gap);
        }
    }

    private static String describe(Quantity quantity, List<Line> lines) {
        StringBuilder text = new StringBuilder();
        for (Line line : lines) {
            text.append(line.name).append(": ");
            for (int i = 0; i < line.depths.size(); i++) {
                text.append(Numbers.significant(line.values.get(i).median(), 3))
                        .append(" " + quantity.unit + " at depth ")
                        .append(Numbers.count(line.depths.get(i)))
                        .append(i == line.depths.size() - 1 ? ". " : ", ");
            }
        }
        return text.toString().trim();
    }
}
