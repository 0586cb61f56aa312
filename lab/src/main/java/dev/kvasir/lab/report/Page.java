package dev.kvasir.lab.report;

import dev.kvasir.lab.compare.Machine;
import dev.kvasir.lab.info.ModelInfo;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.Locale;

/** What all reports have in common: one HTML file without network or script, well-formed XML as well. */
final class Page {
    private static final String STYLE = "report.css";

    private Page() {}

    /** Opens the page and its header, which stays open. */
    static void begin(Markup page, String title, ModelInfo model) {
        page.raw("<!DOCTYPE html>\n");
        page.open("html", "lang", "en", "xmlns", "http://www.w3.org/1999/xhtml").open("head");
        page.empty("meta", "charset", "utf-8");
        page.empty("meta", "name", "viewport", "content", "width=device-width, initial-scale=1");
        page.element("title", title);
        page.open("style").raw(style()).close("style").close("head");
        page.open("body").open("main");
        page.open("header").element("h1", title);
        page.element("p", modelLine(model), "class", "lead");
    }

    /** Closes the page. */
    static String end(Markup page) {
        return page.close("main").close("body").close("html").raw("\n").toString();
    }

    /** When, how long, where and on what was measured. */
    static void measured(Markup page, String date, double seconds, Machine machine, ModelInfo model) {
        page.element(
                "p",
                "Measured " + date + " in " + String.format(Locale.ROOT, "%.0f", seconds) + " s on " + machine.cpu()
                        + ", "
                        + machine.threads() + " of " + machine.cores() + " cores, " + machine.os() + ", Java "
                        + machine.java() + ". Model fingerprint " + model.fingerprint() + ". Written by Kvasir.");
    }

    private static String modelLine(ModelInfo model) {
        return Numbers.significant(model.parameters() / 1e6, 3) + " M parameters · " + model.layers() + " layers · "
                + model.heads() + " query and " + model.kvHeads() + " KV heads of " + model.headDim() + " · context "
                + Numbers.count(model.contextLength()) + " tokens · weights " + Numbers.bytes(model.weightBytes());
    }

    private static String style() {
        try (InputStream in = Page.class.getResourceAsStream(STYLE)) {
            if (in == null) {
                throw new IllegalStateException(STYLE + " is missing beside " + Page.class.getName());
            }
            return new String(in.readAllBytes(), StandardCharsets.UTF_8);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
