package dev.kvasir.lab.report;

import dev.kvasir.lab.metric.Spread;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;

/** Decode speed against depth: a line per cache through its medians, bars from the slowest to the fastest repetition. */
final class LineChart {
    private static final double LINE_END = Plot.RIGHT - 26;
    private static final double BADGE_AT = Plot.RIGHT - 4;

    /** One cache: its speed, tokens per second, at each depth. */
    record Line(int series, String name, List<Integer> depths, List<Spread> speeds) {}

    private LineChart() {}

    /** The chart as SVG. */
    static String draw(String id, String title, List<Line> lines) {
        double[] depths = lines.stream()
                .flatMapToDouble(line -> line.depths.stream().mapToDouble(Integer::doubleValue))
                .toArray();
        List<Double> speeds = new ArrayList<>();
        lines.forEach(line -> line.speeds.forEach(speed -> speeds.addAll(List.of(speed.min(), speed.max()))));
        double[] speedValues = speeds.stream().mapToDouble(Double::doubleValue).toArray();
        double deepest = Arrays.stream(depths).max().orElse(1);
        Axis x = new Axis(0, Math.max(1, deepest), false, Plot.LEFT + 8, LINE_END, 0);
        Axis y = Axis.linear(speedValues, 0, Double.POSITIVE_INFINITY, Plot.BOTTOM, Plot.TOP);
        Plot plot = new Plot(id, title, describe(lines));
        plot.axes(
                x,
                "tokens in the cache",
                value -> Numbers.count(Math.round(value)),
                y,
                "decoded tokens per second",
                value -> Numbers.plain(value, 4));
        lines.forEach(line -> draw(plot, line, x, y));
        badges(plot, lines, y);
        return plot.finish();
    }

    private static void draw(Plot plot, Line line, Axis x, Axis y) {
        StringBuilder path = new StringBuilder();
        String colour = Plot.colour(line.series);
        for (int i = 0; i < line.depths.size(); i++) {
            double px = x.at(line.depths.get(i));
            Spread speed = line.speeds.get(i);
            path.append(path.isEmpty() ? "M" : " L")
                    .append(Math.round(px * 10) / 10.0)
                    .append(' ')
                    .append(Math.round(y.at(speed.median()) * 10) / 10.0);
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
                            y.at(speed.min()),
                            "y2",
                            y.at(speed.max()));
            plot.svg().empty("circle", "class", "dot " + colour, "cx", px, "cy", y.at(speed.median()), "r", 2.5);
        }
        plot.svg().empty("path", "class", "line " + colour, "d", path.toString());
    }

    /** Badges at the right, in the order of the lines' ends, pushed apart until none covers another. */
    private static void badges(Plot plot, List<Line> lines, Axis y) {
        List<Line> sorted = lines.stream()
                .sorted(Comparator.comparingDouble(
                        line -> y.at(line.speeds.getLast().median())))
                .toList();
        double[] places = sorted.stream()
                .mapToDouble(line -> y.at(line.speeds.getLast().median()))
                .toArray();
        spread(places, 2 * Plot.BADGE + 1, Plot.TOP + Plot.BADGE - 10, Plot.BOTTOM - Plot.BADGE);
        for (int i = 0; i < places.length; i++) {
            Line line = sorted.get(i);
            double end = y.at(line.speeds.getLast().median());
            plot.svg().empty("line", "class", "leader", "x1", LINE_END, "y1", end, "x2", BADGE_AT, "y2", places[i]);
            plot.badge(
                    line.series,
                    BADGE_AT,
                    places[i],
                    line.name + ": " + Numbers.significant(line.speeds.getLast().median(), 3) + " tokens/s at depth "
                            + Numbers.count(line.depths.getLast()));
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

    private static String describe(List<Line> lines) {
        StringBuilder text = new StringBuilder();
        for (Line line : lines) {
            text.append(line.name).append(": ");
            for (int i = 0; i < line.depths.size(); i++) {
                text.append(Numbers.significant(line.speeds.get(i).median(), 3))
                        .append(" tokens/s at depth ")
                        .append(Numbers.count(line.depths.get(i)))
                        .append(i == line.depths.size() - 1 ? ". " : ", ");
            }
        }
        return text.toString().trim();
    }
}
