package dev.kvasir.lab.report;

import java.util.function.DoubleFunction;

/** The frame both charts share: an SVG of fixed size that scales with the page, with axes, grid and badges. */
final class Plot {
    static final double WIDTH = 440;
    static final double HEIGHT = 330;
    static final double LEFT = 50;
    static final double RIGHT = 424;
    static final double TOP = 30;
    static final double BOTTOM = 282;
    static final double BADGE = 8.5;

    /** Numbers of series that have a colour of their own; the next one starts over. */
    private static final int COLOURS = 10;

    private final Markup svg = new Markup();

    /** Begins a chart that a screen reader announces as {@code title}: {@code description}. */
    Plot(String id, String title, String description) {
        svg.open(
                "svg",
                "viewBox",
                "0 0 " + (int) WIDTH + " " + (int) HEIGHT,
                "role",
                "img",
                "aria-labelledby",
                id + "-title " + id + "-text");
        svg.element("title", title, "id", id + "-title");
        svg.element("desc", description, "id", id + "-text");
    }

    /** The drawing so far. */
    Markup svg() {
        return svg;
    }

    /** Style class that gives a series its colour. */
    static String colour(int series) {
        return "s" + series % COLOURS;
    }

    /** Grid, tick labels and axis names. */
    void axes(
            Axis x,
            String xName,
            DoubleFunction<String> xFormat,
            Axis y,
            String yName,
            DoubleFunction<String> yFormat) {
        for (Axis.Tick tick : x.ticks(xFormat)) {
            double at = x.at(tick.value());
            svg.empty("line", "class", "grid", "x1", at, "x2", at, "y1", TOP, "y2", BOTTOM);
            svg.element("text", tick.label(), "class", "tick", "x", at, "y", BOTTOM + 16, "text-anchor", "middle");
        }
        for (Axis.Tick tick : y.ticks(yFormat)) {
            yTick(y.at(tick.value()), tick.label());
        }
        if (y.hasZero()) {
            yTick(y.zeroAt(), yFormat.apply(0));
            double cut = (y.from() + y.zeroAt()) / 2;
            svg.empty("line", "class", "cut", "x1", LEFT, "x2", RIGHT, "y1", cut, "y2", cut);
        }
        svg.empty("line", "class", "axis", "x1", LEFT, "x2", RIGHT, "y1", BOTTOM, "y2", BOTTOM);
        svg.empty("line", "class", "axis", "x1", LEFT, "x2", LEFT, "y1", TOP, "y2", BOTTOM);
        svg.element("text", xName, "class", "name", "x", (LEFT + RIGHT) / 2, "y", HEIGHT - 10, "text-anchor", "middle");
        svg.element("text", yName, "class", "name", "x", 4, "y", 13);
    }

    private void yTick(double at, String label) {
        svg.empty("line", "class", "grid", "x1", LEFT, "x2", RIGHT, "y1", at, "y2", at);
        svg.element("text", label, "class", "tick", "x", LEFT - 6, "y", at + 4, "text-anchor", "end");
    }

    /** A numbered disc in the colour of its series, with {@code hover} shown under the pointer. */
    void badge(int series, double x, double y, String hover) {
        svg.open("g", "class", "badge " + colour(series));
        svg.element("title", hover);
        svg.empty("circle", "cx", x, "cy", y, "r", BADGE);
        svg.element("text", String.valueOf(series + 1), "x", x, "y", y + 3.5, "text-anchor", "middle");
        svg.close("g");
    }

    /** The finished SVG. */
    String finish() {
        return svg.close("svg").toString();
    }
}
