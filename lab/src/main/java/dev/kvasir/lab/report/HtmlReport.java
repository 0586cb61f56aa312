package dev.kvasir.lab.report;

import dev.kvasir.lab.compare.ComparisonResult;

/**
 * A comparison as one HTML file: findings, charts, tables and what each figure means. It needs no network and no script,
 * and is well-formed XML as well.
 */
public final class HtmlReport {
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
        Page.begin(page, title, result.model());
        Findings.write(page, result);
        page.close("header").raw("\n");
        Charts.write(page, result);
        page.raw("\n");
        Tables.write(page, result);
        skipped();
        Glossary.write(page, result);
        footer();
        return Page.end(page);
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
        Page.measured(page, result.date(), result.seconds(), result.machine(), result.model());
        page.close("footer");
    }
}
