package dev.kvasir.lab.report;

import dev.kvasir.lab.accuracy.TaskResult;
import dev.kvasir.lab.bench.SpeedResult.DepthSpeed;
import dev.kvasir.lab.compare.ComparisonResult;
import dev.kvasir.lab.compare.ComparisonResult.Row;
import dev.kvasir.lab.metric.Proportion;
import dev.kvasir.lab.metric.Spread;
import java.util.List;

/** The tables of the report: every figure of every row. */
final class Tables {
    private Tables() {}

    /** Writes both tables. */
    static void write(Markup page, ComparisonResult result) {
        page.open("section").element("h2", "All figures");
        page.open("div", "class", "sheet", "tabindex", "0", "role", "region", "aria-label", "All figures");
        page.open("table");
        quality(page, result.rows());
        page.close("table").close("div");
        page.element("h2", "Decode speed by depth, tokens per second");
        page.open("div", "class", "sheet", "tabindex", "0", "role", "region", "aria-label", "Decode speed by depth");
        page.open("table");
        speeds(page, result.rows());
        page.close("table").close("div").close("section");
    }

    private static void quality(Markup page, List<Row> rows) {
        Row first = rows.getFirst();
        page.open("thead").open("tr");
        heads(
                page,
                "Cache",
                "bits per element",
                "cache bytes",
                "bytes per token",
                "peak RSS",
                "perplexity",
                "KLD",
                "top-1");
        first.tasks().forEach(task -> taskHeads(page, task));
        heads(page, "prefill tok/s", "decode tok/s");
        page.close("tr").close("thead").open("tbody");
        for (int i = 0; i < rows.size(); i++) {
            qualityRow(page, i, rows.get(i));
        }
        page.close("tbody");
    }

    private static void qualityRow(Markup page, int series, Row row) {
        begin(page, series, row.cache(), row.reference());
        cell(page, Numbers.significant(row.quality().bitsPerElement(), 3));
        cell(page, Numbers.bytes(row.quality().cacheBytes()));
        cell(page, Numbers.bytes(row.bytesPerToken()));
        cell(
                page,
                row.speed().peakRss().isPresent()
                        ? Numbers.bytes(row.speed().peakRss().getAsLong())
                        : "–");
        cell(page, Numbers.significant(row.quality().ppl(), 4));
        cell(
                page,
                Numbers.significant(row.quality().kld(), 3),
                "99 %: " + Numbers.significant(row.quality().kldP99(), 2));
        cell(page, Numbers.percent(row.quality().top1()));
        for (TaskResult task : row.tasks()) {
            if (task.turns().isEmpty()) {
                share(page, task.answers());
            }
            task.turns().forEach(turn -> share(page, turn));
        }
        cell(
                page,
                Numbers.significant(row.speed().prefill().median(), 3),
                Numbers.ratio(row.speed().prefillRatio().median()));
        DepthSpeed deepest = row.speed().depths().getLast();
        cell(
                page,
                Numbers.significant(deepest.decode().median(), 3),
                Numbers.ratio(deepest.ratio().median()));
        page.close("tr");
    }

    private static void taskHeads(Markup page, TaskResult task) {
        if (task.turns().isEmpty()) {
            head(page, task.task());
        }
        for (int turn = 1; turn <= task.turns().size(); turn++) {
            head(page, task.taskName() + " turn " + turn);
        }
    }

    private static void share(Markup page, Proportion answers) {
        cell(page, Numbers.percent(answers.share()), answers.successes() + "/" + answers.trials());
    }

    private static void speeds(Markup page, List<Row> rows) {
        page.open("thead").open("tr");
        head(page, "Cache");
        rows.getFirst().speed().depths().forEach(depth -> head(page, "at " + Numbers.count(depth.depth())));
        page.close("tr").close("thead").open("tbody");
        for (int i = 0; i < rows.size(); i++) {
            begin(page, i, rows.get(i).cache(), rows.get(i).reference());
            for (DepthSpeed depth : rows.get(i).speed().depths()) {
                Spread speed = depth.decode();
                cell(
                        page,
                        Numbers.significant(speed.median(), 3) + " ("
                                + Numbers.ratio(depth.ratio().median()) + ")",
                        Numbers.significant(speed.min(), 3) + " to " + Numbers.significant(speed.max(), 3));
            }
            page.close("tr");
        }
        page.close("tbody");
    }

    /** Opens the row of a cache. */
    static void begin(Markup page, int series, String cache, boolean reference) {
        page.open("tr", "class", reference ? "reference" : "cache");
        page.open("th", "scope", "row");
        badge(page, series);
        page.text(cache).close("th");
    }

    /** The number of a row in the colour it has in the charts. */
    static void badge(Markup page, int series) {
        page.element("span", String.valueOf(series + 1), "class", "id " + Plot.colour(series));
    }

    private static void heads(Markup page, String... names) {
        for (String name : names) {
            head(page, name);
        }
    }

    /** The head of a column. */
    static void head(Markup page, String name) {
        page.element("th", name, "scope", "col");
    }

    /** A figure. */
    static void cell(Markup page, String text) {
        page.element("td", text);
    }

    /** A figure with a smaller one below. */
    static void cell(Markup page, String text, String below) {
        page.open("td").text(text).element("small", below).close("td");
    }
}
