package dev.kvasir.lab.report;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.function.DoubleFunction;
import java.util.stream.DoubleStream;

/**
 * One quality against bytes per token: a numbered, named point per cache, and a line through those that no other beats
 * in both.
 */
final class ScatterChart {
    /**
     * One cache.
     *
     * @param series number of its row, from 0
     * @param low lower end of an interval of {@code y}; {@code y} itself for none
     * @param high upper end
     */
    record Point(int series, String name, double x, double y, double low, double high) {}

    /**
     * What the vertical axis shows.
     *
     * @param logarithmic whether it is one of ratios
     * @param lessIsBetter which end is the good one
     * @param floor least value there can be
     * @param ceiling largest value there can be
     */
    record Quantity(
            String name,
            boolean logarithmic,
            boolean lessIsBetter,
            double floor,
            double ceiling,
            DoubleFunction<String> format) {}

    private ScatterChart() {}

    /** The chart as SVG; {@code unnamed} receives the points whose names found no room. */
    static String draw(String id, String title, Quantity quantity, List<Point> points, List<Point> unnamed) {
        double[] values = points.stream()
                .flatMapToDouble(point -> DoubleStream.of(point.low, point.y, point.high))
                .toArray();
        Axis x = Axis.logarithmic(points.stream().mapToDouble(Point::x).toArray(), Plot.LEFT, Plot.RIGHT);
        Axis y = quantity.logarithmic
                ? Axis.logarithmic(values, Plot.BOTTOM, Plot.TOP)
                : Axis.linear(values, quantity.floor, quantity.ceiling, Plot.BOTTOM, Plot.TOP);
        Plot plot = new Plot(id, title, describe(points, quantity));
        plot.axes(x, "bytes per token, all layers (log)", Numbers::plainBytes, y, quantity.name, quantity.format);
        frontier(plot, points, quantity, x, y);
        for (Point point : points) {
            if (point.high > point.low) {
                whisker(plot, point, x, y);
            }
        }
        place(plot, points, quantity, x, y, unnamed);
        return plot.finish();
    }

    private static void place(Plot plot, List<Point> points, Quantity quantity, Axis x, Axis y, List<Point> unnamed) {
        Labels labels = new Labels();
        List<Labels.Place> badges = new ArrayList<>();
        for (Point point : points) {
            badges.add(labels.badge(x.at(point.x), y.at(point.y)));
        }
        for (int i = 0; i < points.size(); i++) {
            Point point = points.get(i);
            Labels.Place badge = badges.get(i);
            double px = x.at(point.x);
            double py = y.at(point.y);
            if (badge.x() != px || badge.y() != py) {
                plot.svg().empty("line", "class", "leader", "x1", px, "y1", py, "x2", badge.x(), "y2", badge.y());
                plot.svg().empty("circle", "class", "dot " + Plot.colour(point.series), "cx", px, "cy", py, "r", 2.5);
            }
            String hover =
                    point.name + ": " + quantity.format.apply(point.y) + " at " + Numbers.bytes(point.x) + " per token";
            plot.badge(point.series, badge.x(), badge.y(), hover);
            labels.name(badge, point.name)
                    .ifPresentOrElse(
                            at -> plot.svg().element("text", point.name, "class", "label", "x", at.x(), "y", at.y()),
                            () -> unnamed.add(point));
        }
    }

    private static void whisker(Plot plot, Point point, Axis x, Axis y) {
        double px = x.at(point.x);
        String style = "whisker " + Plot.colour(point.series);
        plot.svg().empty("line", "class", style, "x1", px, "x2", px, "y1", y.at(point.low), "y2", y.at(point.high));
        for (double end : new double[] {point.low, point.high}) {
            plot.svg().empty("line", "class", style, "x1", px - 4, "x2", px + 4, "y1", y.at(end), "y2", y.at(end));
        }
    }

    /** The points that no other point beats: none is both smaller and better. */
    static List<Point> undominated(List<Point> points, boolean lessIsBetter) {
        List<Point> sorted = points.stream()
                .sorted(Comparator.comparingDouble(Point::x)
                        .thenComparingDouble(point -> lessIsBetter ? point.y : -point.y))
                .toList();
        List<Point> best = new ArrayList<>();
        for (Point point : sorted) {
            boolean better = best.isEmpty() || (lessIsBetter ? point.y < best.getLast().y : point.y > best.getLast().y);
            if (better) {
                best.add(point);
            }
        }
        return best;
    }

    private static void frontier(Plot plot, List<Point> points, Quantity quantity, Axis x, Axis y) {
        StringBuilder path = new StringBuilder();
        for (Point point : undominated(points, quantity.lessIsBetter)) {
            path.append(path.isEmpty() ? "M" : " L")
                    .append(Math.round(x.at(point.x)))
                    .append(' ')
                    .append(Math.round(y.at(point.y)));
        }
        plot.svg().empty("path", "class", "frontier", "d", path.toString());
    }

    private static String describe(List<Point> points, Quantity quantity) {
        StringBuilder text = new StringBuilder();
        for (Point point : points) {
            text.append(point.name)
                    .append(": ")
                    .append(quantity.format.apply(point.y))
                    .append(" at ")
                    .append(Numbers.bytes(point.x))
                    .append(" per token. ");
        }
        return text.toString().trim();
    }
}
