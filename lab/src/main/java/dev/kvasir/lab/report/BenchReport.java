package dev.kvasir.lab.report;

import dev.kvasir.lab.bench.SpeedOptions;
import dev.kvasir.lab.bench.SpeedResult;
import dev.kvasir.lab.bench.SpeedResult.DepthSpeed;
import dev.kvasir.lab.compare.BenchResult;
import dev.kvasir.lab.metric.Spread;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalDouble;
import java.util.function.Function;

/** A bench as one HTML file: how decode time and bytes grow with depth. */
public final class BenchReport {
    private final BenchResult result;
    private final Markup page = new Markup();

    private BenchReport(BenchResult result) {
        this.result = result;
    }

    /** The page for {@code result}, to be stored as UTF-8. */
    public static String of(BenchResult result) {
        return new BenchReport(result).write();
    }

    private String write() {
        Page.begin(page, "Decode time at depth of " + result.model().name(), result.model());
        page.close("header").raw("\n");
        charts();
        page.raw("\n");
        table();
        meanings();
        page.open("footer", "class", "facts");
        Page.measured(page, result.date(), result.seconds(), result.machine(), result.model());
        page.close("footer");
        return Page.end(page);
    }

    private void charts() {
        page.open("section").element("h2", "Charts");
        page.open("div", "class", "charts");
        chart(
                "time",
                "Decode time",
                "Lower is better, flat is best: median milliseconds a token, bars from the fastest to the slowest repetition.",
                new LineChart.Quantity("milliseconds a token", "ms", true),
                DepthSpeed::millis);
        chart(
                "bytes",
                "Cache bytes",
                "Lower is better: megabytes allocated after the timed tokens.",
                new LineChart.Quantity("cache, MB", "MB", true),
                depth -> Spread.of(depth.cacheBytes() / 1e6));
        page.close("div").close("section");
    }

    private void chart(
            String id, String title, String caption, LineChart.Quantity quantity, Function<DepthSpeed, Spread> value) {
        List<LineChart.Line> lines = new ArrayList<>();
        for (int i = 0; i < result.results().size(); i++) {
            SpeedResult cache = result.results().get(i);
            lines.add(new LineChart.Line(
                    i,
                    cache.cache(),
                    cache.depths().stream().map(DepthSpeed::depth).toList(),
                    cache.depths().stream().map(value).toList()));
        }
        Charts.begin(page, title, caption);
        page.raw(LineChart.draw(id, title + " against tokens in the cache", quantity, lines));
        Charts.key(
                page,
                lines.stream().map(LineChart.Line::series).toList(),
                lines.stream().map(LineChart.Line::name).toList());
        page.close("figure");
    }

    private void table() {
        SpeedResult first = result.results().getFirst();
        page.open("section").element("h2", "Decode time by depth, milliseconds a token");
        page.open("div", "class", "sheet", "tabindex", "0", "role", "region", "aria-label", "Decode time by depth");
        page.open("table").open("thead").open("tr");
        Tables.head(page, "Cache");
        first.depths().forEach(depth -> Tables.head(page, "at " + Numbers.count(depth.depth())));
        if (first.depths().size() > 1) {
            Tables.head(page, "ns per token of depth");
        }
        Tables.head(page, "bits per element");
        Tables.head(page, "cache bytes");
        page.close("tr").close("thead").open("tbody");
        for (int i = 0; i < result.results().size(); i++) {
            row(i, result.results().get(i), first.nanosPerDepth());
        }
        page.close("tbody").close("table").close("div").close("section");
    }

    private void row(int series, SpeedResult cache, OptionalDouble firstGrowth) {
        Tables.begin(page, series, cache.cache(), series == 0);
        for (DepthSpeed depth : cache.depths()) {
            Spread millis = depth.millis();
            Tables.cell(
                    page,
                    Numbers.significant(millis.median(), 3) + " ("
                            + Numbers.ratio(1 / depth.ratio().median()) + ")",
                    Numbers.significant(millis.min(), 3) + " to " + Numbers.significant(millis.max(), 3));
        }
        cache.nanosPerDepth()
                .ifPresent(growth -> Tables.cell(page, Numbers.significant(growth, 3), times(growth, firstGrowth)));
        DepthSpeed deepest = cache.depths().getLast();
        Tables.cell(page, Numbers.significant(deepest.bitsPerElement(), 3));
        Tables.cell(page, Numbers.bytes(deepest.cacheBytes()));
        page.close("tr");
    }

    private static String times(double growth, OptionalDouble first) {
        return first.isPresent() && first.getAsDouble() > 0 ? Numbers.ratio(growth / first.getAsDouble()) : "–";
    }

    private void meanings() {
        SpeedOptions options = result.options();
        String first = result.results().getFirst().cache();
        page.open("section").element("h2", "What the figures mean").open("dl");
        Glossary.entry(
                page,
                "Milliseconds a token",
                options.decode()
                        + " tokens decoded one by one behind as many random tokens as the depth says, over their"
                        + " number. Medians of " + options.repetitions()
                        + " repetitions with the caches interleaved; below them the fastest and the slowest. × is the"
                        + " time over that of " + first + ", a median of ratios within a repetition.");
        Glossary.entry(
                page,
                "ns per token of depth",
                "How steep the line is: what each token in the cache adds to the time of one decoded, from the first depth"
                        + " to the last, by medians. Below it the ratio to " + first + ".");
        Glossary.entry(
                page,
                "Bits per element, cache bytes",
                "All bytes allocated at the deepest depth, and the same over the elements of K and V they stand for.");
        Glossary.entry(page, "Depth", depth(options));
        page.close("dl").close("section");
    }

    private static String depth(SpeedOptions options) {
        return switch (options.fill()) {
            case REAL -> "Caches were filled by running the model over every token.";
            case REPEAT ->
                "Caches were filled by running the model over " + options.repeated()
                        + " tokens, whose keys and values were then stored again and again with advancing positions.";
        };
    }
}
