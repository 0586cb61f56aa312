package dev.kvasir.lab.report;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kvasir.lab.bench.SpeedOptions;
import dev.kvasir.lab.bench.SpeedResult;
import dev.kvasir.lab.bench.SpeedResult.DepthSpeed;
import dev.kvasir.lab.bench.SpeedResult.PeakScope;
import dev.kvasir.lab.compare.BenchResult;
import dev.kvasir.lab.metric.Spread;
import java.io.StringReader;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalLong;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import javax.xml.parsers.DocumentBuilderFactory;
import org.junit.jupiter.api.Test;
import org.w3c.dom.Document;
import org.xml.sax.InputSource;

class BenchReportTest {
    private static final List<Integer> DEPTHS = List.of(0, 1000, 4000);

    /** 2 ms a token, and {@code nanos} more for each token in the cache; the fastest 10 % less, the slowest 25 % more. */
    private static SpeedResult cache(String name, int nanos, List<Integer> depths) {
        List<DepthSpeed> speeds = new ArrayList<>();
        for (int depth : depths) {
            double millis = 2 + nanos * depth / 1e6;
            Spread decode = Spread.of(1000 / (1.25 * millis), 1000 / millis, 1000 / (0.9 * millis));
            Spread ratio = Spread.of((2 + 500 * depth / 1e6) / millis);
            speeds.add(new DepthSpeed(depth, decode, ratio, 1_000_000L + 100L * depth, 4));
        }
        return new SpeedResult(name, 64, Spread.of(900), Spread.of(1), speeds, OptionalLong.empty(), PeakScope.UNKNOWN);
    }

    private static String report(List<Integer> depths, String... names) {
        List<SpeedResult> results = new ArrayList<>();
        for (int i = 0; i < names.length; i++) {
            results.add(cache(names[i], i == 0 ? 500 : 50, depths));
        }
        return BenchReport.of(new BenchResult(
                Results.MODEL,
                Results.MACHINE,
                "2026-01-02T03:04:05Z",
                12,
                new SpeedOptions(64, depths, 8, 3, 512, 1),
                results));
    }

    private static Document parse(String html) throws Exception {
        var builder = DocumentBuilderFactory.newInstance().newDocumentBuilder();
        return builder.parse(new InputSource(new StringReader(html.replace("<!DOCTYPE html>", ""))));
    }

    @Test
    void drawsALineOfMillisecondsForEachCache() throws Exception {
        Document page = parse(report(DEPTHS, "exact", "flat"));
        String time = page.getElementsByTagName("desc").item(0).getTextContent();
        assertThat(page.getElementsByTagName("svg").getLength()).isEqualTo(2);
        assertThat(time)
                .contains("exact: 2.00 ms at depth 0, 2.50 ms at depth 1,000, 4.00 ms at depth 4,000.")
                .contains("flat: 2.00 ms at depth 0, 2.05 ms at depth 1,000, 2.20 ms at depth 4,000.");
        assertThat(page.getElementsByTagName("desc").item(1).getTextContent()).contains("1.40 MB at depth 4,000");
    }

    @Test
    void theTimeAxisBeginsAtZero() {
        String html = report(DEPTHS, "exact", "flat");
        // Twice the time is twice as high above the axis: 2 ms and 4 ms of the first line.
        MatchResult path = Pattern.compile("class=\"line s0\" d=\"M(\\S+) (\\S+) L(\\S+) (\\S+) L(\\S+) (\\S+)\"")
                .matcher(html)
                .results()
                .findFirst()
                .orElseThrow();
        double shallow = Plot.BOTTOM - Double.parseDouble(path.group(2));
        double deep = Plot.BOTTOM - Double.parseDouble(path.group(6));
        assertThat(deep / shallow).isBetween(1.98, 2.02);
    }

    @Test
    void tellsHowSteepEachLineIs() throws Exception {
        String text = parse(report(DEPTHS, "exact", "flat"))
                .getElementsByTagName("tbody")
                .item(0)
                .getTextContent();
        // 500 and 50 ns a token; at the deepest 4.0 ms, 3.6 to 5.0, and 2.2 ms, 0.55 of it.
        assertThat(text).contains("4.00 (1.00×)3.60 to 5.00", "5001.00×", "50.00.100×", "2.20 (0.550×)1.98 to 2.75");
    }

    @Test
    void oneDepthHasNoSteepnessAndNamesAreEscaped() throws Exception {
        String html = report(List.of(100), "a<b>&", "c");
        assertThat(html).doesNotContain("NaN").doesNotContain("Infinity").doesNotContain("a<b>");
        Document page = parse(html);
        assertThat(page.getElementsByTagName("thead").item(0).getTextContent()).doesNotContain("ns per token");
        assertThat(page.getElementsByTagName("tbody").item(0).getTextContent()).contains("a<b>&");
    }
}
