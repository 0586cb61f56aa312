package dev.kvasir.lab.report;

import dev.kvasir.lab.compare.ComparisonResult;
import dev.kvasir.lab.info.ModelInfo;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.Locale;

/**
 * A comparison as one HTML file: findings, charts, tables and what each figure means. It needs no network and no script,
 * and is well-formed XML as well.
 */
public final class HtmlReport {
    private static final String STYLE = "report.css";

    private final ComparisonResult result;
    private final Markup page = new Markup();

    private HtmlReport(ComparisonResult result) {
        this.result = result;
    }

    /** The page for {@code result}, to be stored as UTF-8. */
    public static String of(ComparisonResult result) {
        return new HtmlReport(result).write();
    }

    private String write() {
        String title = "KV caches compared on " + result.model().name();
        page.raw("<!DOCTYPE html>\n");
        page.open("html", "lang", "en", "xmlns", "http://www.w3.org/1999/xhtml").open("head");
        page.empty("meta", "charset", "utf-8");
        page.empty("meta", "name", "viewport", "content", "width=device-width, initial-scale=1");
        page.element("title", title);
        page.open("style").raw(style()).close("style").close("head");
        page.open("body").open("main");
        page.open("header").element("h1", title);
        page.element("p", modelLine(result.model()), "class", "lead");
        Findings.write(page, result);
        page.close("header").raw("\n");
        Charts.write(page, result);
        page.raw("\n");
        Tables.write(page, result);
        skipped();
        Glossary.write(page, result);
        footer();
        page.close("main").close("body").close("html").raw("\n");
        return page.toString();
    }

    private static String modelLine(ModelInfo model) {
        return Numbers.significant(model.parameters() / 1e6, 3) + " M parameters · " + model.layers() + " layers · "
                + model.heads() + " query and " + model.kvHeads() + " KV heads of " + model.headDim() + " · context "
                + Numbers.count(model.contextLength()) + " tokens · weights " + Numbers.bytes(model.weightBytes());
    }

    private void skipped() {
        if (result.skipped().isEmpty()) {
            return;
        }
        page.open("section").element("h2", "Left out");
        page.open("ul");
        for (ComparisonResult.Skipped cache : result.skipped()) {
            page.open("li")
                    .element("strong", cache.cache())
                    .text(": " + cache.reason())
                    .close("li");
        }
        page.close("ul").close("section");
    }

    private void footer() {
        page.open("footer", "class", "facts");
        page.element(
                "p",
                "Text: " + result.text() + ", windows of " + Numbers.count(result.context()) + " tokens, the first "
                        + Numbers.count(result.prefill()) + " as one step. Seed " + result.seed() + ".");
        page.element(
                "p",
                "Measured " + result.date() + " in " + String.format(Locale.ROOT, "%.0f", result.seconds())
                        + " s on " + result.machine().cpu() + ", "
                        + result.machine().threads() + " of "
                        + result.machine().cores() + " cores, "
                        + result.machine().os() + ", Java "
                        + result.machine().java() + ". Model fingerprint "
                        + result.model().fingerprint()
                        + ". Written by Kvasir.");
        page.close("footer");
    }

    private static String style() {
        try (InputStream in = HtmlReport.class.getResourceAsStream(STYLE)) {
            if (in == null) {
                throw new IllegalStateException(STYLE + " is missing beside " + HtmlReport.class.getName());
            }
            return new String(in.readAllBytes(), StandardCharsets.UTF_8);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
