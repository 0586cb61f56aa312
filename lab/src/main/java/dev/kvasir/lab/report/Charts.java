package dev.kvasir.lab.report;

import dev.kvasir.lab.bench.SpeedResult.DepthSpeed;
import dev.kvasir.lab.compare.ComparisonResult;
import dev.kvasir.lab.compare.ComparisonResult.Row;
import dev.kvasir.lab.metric.Proportion;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.DoubleFunction;
import java.util.function.Function;
import java.util.function.IntFunction;
import java.util.stream.IntStream;

/** The charts of the report: qualities against bytes, speed against depth. */
final class Charts {
    private Charts() {}

    /** Writes a figure for each chart there are figures for. */
    static void write(Markup page, ComparisonResult result) {
        List<Row> rows = result.rows();
        page.open("section").element("h2", "Charts");
        page.element(
                "p",
                "Each number is a row of the table. Left is less memory. The dashed line joins the caches that no other beats in"
                        + " both memory and quality.",
                "class",
                "note");
        page.open("div", "class", "charts");
        scatter(
                page,
                "kld",
                "KL divergence from the exact cache",
                "Lower is better: how far the next-token probabilities move. The most sensitive of these.",
                new ScatterChart.Quantity(
                        "KLD, nats (log)", true, true, 0, Double.POSITIVE_INFINITY, value -> Numbers.plain(value, 2)),
                points(rows, i -> rows.get(i).quality().kld()));
        perplexity(page, rows);
        accuracy(
                page,
                "accuracy",
                "Task accuracy",
                "Higher is better: answers of all tasks together that were not asked in turns, with 95 % intervals.",
                rows,
                Row::accuracy);
        accuracy(
                page,
                "last-turn",
                "The last question of several",
                "Higher is better: the cache was filled and compressed with the first question in view, another one was"
                        + " asked last. With 95 % intervals.",
                rows,
                Row::lastTurn);
        speed(page, rows);
        page.close("div").close("section");
    }

    private static void perplexity(Markup page, List<Row> rows) {
        double exact = rows.getFirst().quality().ppl();
        scatter(
                page,
                "ppl",
                "Perplexity",
                "Lower is better: percent that the cache adds to the exact perplexity of "
                        + Numbers.significant(exact, 4) + ".",
                new ScatterChart.Quantity(
                        "perplexity added, % (log)",
                        true, true, 0, Double.POSITIVE_INFINITY, value -> value > 0 ? Numbers.plain(value, 3) : "≤ 0"),
                points(rows, i -> 100 * (rows.get(i).quality().ppl() / exact - 1)));
    }

    private static void accuracy(
            Markup page,
            String id,
            String title,
            String caption,
            List<Row> rows,
            Function<Row, Optional<Proportion>> of) {
        List<ScatterChart.Point> points = new ArrayList<>();
        for (int i = 0; i < rows.size(); i++) {
            Row row = rows.get(i);
            int series = i;
            of.apply(row)
                    .ifPresent(answers -> points.add(new ScatterChart.Point(
                            series, row.cache(), row.bytesPerToken(), answers.share(), answers.low(), answers.high())));
        }
        if (!points.isEmpty()) {
            DoubleFunction<String> percent = value -> Numbers.plain(100 * value, 3) + " %";
            scatter(
                    page,
                    id,
                    title,
                    caption,
                    new ScatterChart.Quantity("answers right", false, false, 0, 1, percent),
                    points);
        }
    }

    private static List<ScatterChart.Point> points(List<Row> rows, IntFunction<Double> quality) {
        return IntStream.range(0, rows.size())
                .mapToObj(i -> {
                    double value = quality.apply(i);
                    return new ScatterChart.Point(
                            i, rows.get(i).cache(), rows.get(i).bytesPerToken(), value, value, value);
                })
                .toList();
    }

    private static void scatter(
            Markup page,
            String id,
            String title,
            String caption,
            ScatterChart.Quantity quantity,
            List<ScatterChart.Point> points) {
        List<ScatterChart.Point> unnamed = new ArrayList<>();
        begin(page, title, caption);
        page.raw(ScatterChart.draw(id, title + " against bytes per token", quantity, points, unnamed));
        key(
                page,
                unnamed.stream().map(ScatterChart.Point::series).toList(),
                unnamed.stream().map(ScatterChart.Point::name).toList());
        page.close("figure");
    }

    private static void speed(Markup page, List<Row> rows) {
        List<LineChart.Line> lines = new ArrayList<>();
        for (int i = 0; i < rows.size(); i++) {
            List<DepthSpeed> depths = rows.get(i).speed().depths();
            lines.add(new LineChart.Line(
                    i,
                    rows.get(i).cache(),
                    depths.stream().map(DepthSpeed::depth).toList(),
                    depths.stream().map(DepthSpeed::decode).toList()));
        }
        begin(
                page,
                "Decode speed",
                "Higher is better: median of interleaved repetitions, bars from the slowest to the fastest.");
        page.raw(LineChart.draw(
                "speed",
                "Decode speed against tokens in the cache",
                new LineChart.Quantity("decoded tokens per second", "tokens/s", false),
                lines));
        key(
                page,
                lines.stream().map(LineChart.Line::series).toList(),
                lines.stream().map(LineChart.Line::name).toList());
        page.close("figure");
    }

    /** Opens a figure. */
    static void begin(Markup page, String title, String caption) {
        page.open("figure").element("h3", title).element("figcaption", caption);
    }

    /** The names that go with numbers. */
    static void key(Markup page, List<Integer> series, List<String> names) {
        if (series.isEmpty()) {
            return;
        }
        page.open("ul", "class", "key");
        for (int i = 0; i < series.size(); i++) {
            page.open("li");
            Tables.badge(page, series.get(i));
            page.text(names.get(i)).close("li");
        }
        page.close("ul");
    }
}
