package dev.kvasir.lab.report;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kvasir.lab.compare.ComparisonResult;
import java.io.IOException;
import java.io.StringReader;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import javax.xml.parsers.DocumentBuilderFactory;
import org.junit.jupiter.api.Test;
import org.w3c.dom.Document;
import org.w3c.dom.Element;
import org.w3c.dom.Node;
import org.w3c.dom.NodeList;
import org.xml.sax.InputSource;

class HtmlReportTest {
    @Test
    void isWellFormed() throws Exception {
        Document page = parse(HtmlReport.of(Results.typical()));
        assertThat(page.getDocumentElement().getTagName()).isEqualTo("html");
    }

    @Test
    void showsEveryCacheInBothTablesAndEveryChart() throws Exception {
        ComparisonResult result = Results.typical();
        Document page = parse(HtmlReport.of(result));
        assertThat(elements(page, "tbody"))
                .hasSize(2)
                .allSatisfy(body -> assertThat(elements(body, "tr")).hasSameSizeAs(result.rows()));
        assertThat(elements(page, "svg")).hasSize(5).allSatisfy(chart -> {
            List<String> badges = elements(chart, "g").stream()
                    .filter(group -> group.getAttribute("class").startsWith("badge"))
                    .map(group -> elements(group, "text").getFirst().getTextContent())
                    .sorted()
                    .toList();
            assertThat(badges).containsExactly("1", "2", "3", "4", "5", "6", "7", "8");
        });
    }

    @Test
    void showsTheShareOfEachTurn() throws Exception {
        Document page = parse(HtmlReport.of(Results.typical()));
        List<String> heads = elements(elements(page, "thead").getFirst(), "th").stream()
                .map(Element::getTextContent)
                .toList();
        assertThat(heads)
                .contains("many-shot", "retrieval turn 1", "retrieval turn 2")
                .doesNotContain("retrieval:turns");
        Element kivi2 = elements(elements(page, "tbody").getFirst(), "tr").get(6);
        List<String> cells =
                elements(kivi2, "td").stream().map(Element::getTextContent).toList();
        // 111 of 128 answers, and 83 of 128; the row's name is no td.
        assertThat(cells.get(heads.indexOf("retrieval turn 1") - 1)).isEqualTo("86.7 %111/128");
        assertThat(cells.get(heads.indexOf("retrieval turn 2") - 1)).isEqualTo("64.8 %83/128");
        assertThat(elements(page, "dt").stream().map(Element::getTextContent)).contains("Turns");
    }

    @Test
    void everyChartHasTitleAndTextForThoseWhoCannotSeeIt() throws Exception {
        Document page = parse(HtmlReport.of(Results.typical()));
        for (Element chart : elements(page, "svg")) {
            assertThat(chart.getAttribute("role")).isEqualTo("img");
            assertThat(elements(chart, "desc").getFirst().getTextContent()).contains("kivi(bits=2)");
        }
    }

    @Test
    void escapesWhatComesFromOutside() throws Exception {
        String hostile = "</style><script>alert(\"1\")</script>&'\u0000";
        ComparisonResult result = Results.of(
                List.of(Results.row(hostile, 32, 5, 0, 1, 0.9, 900, 1), Results.row("b", 4, 6, 1, 0.5, 0.2, 900, 1)));
        String html = HtmlReport.of(result);
        assertThat(html).doesNotContain("<script").doesNotContain("tiny & <small>");
        Document page = parse(html);
        assertThat(page.getElementsByTagName("h1").item(0).getTextContent()).contains("tiny & <small>");
        assertThat(page.getElementsByTagName("tbody").item(0).getTextContent())
                .contains("</style><script>alert(\"1\")</script>&'\uFFFD");
    }

    @Test
    void needsNoNetwork() {
        String html = HtmlReport.of(Results.typical()).replace("http://www.w3.org/1999/xhtml", "");
        assertThat(html)
                .doesNotContain("http:")
                .doesNotContain("https:")
                .doesNotContain("url(")
                .doesNotContain("src=");
    }

    @Test
    void drawsASingleCacheAndOneWithoutTasks() throws Exception {
        ComparisonResult.Row full = Results.row("exact", 32, 5, 0, 1, 0.9, 900, 1);
        ComparisonResult.Row untold = new ComparisonResult.Row(
                full.cache(),
                true,
                full.bytesPerToken(),
                full.quality(),
                List.of(),
                Optional.empty(),
                Optional.empty(),
                full.speed());
        Document page = parse(HtmlReport.of(Results.of(List.of(untold))));
        assertThat(elements(page, "svg")).hasSize(3);
        assertThat(page.getDocumentElement().getTextContent())
                .doesNotContain("NaN")
                .doesNotContain("Infinity");
    }

    @Test
    void praisesNoCacheForAnswersThatTheExactOneDoesNotGive() {
        String finding = "without a clear loss of right answers";
        ComparisonResult ignorant = Results.of(
                List.of(Results.row("exact", 32, 5, 0, 1, 0, 900, 1), Results.row("b", 4, 6, 1, 0.5, 0, 900, 1)));
        assertThat(HtmlReport.of(ignorant)).doesNotContain(finding);
        assertThat(HtmlReport.of(Results.typical())).contains(finding);
    }

    @Test
    void saysWhatWasLeftOutAndWhy() {
        assertThat(HtmlReport.of(Results.typical())).contains("48 does not divide headDim 64");
    }

    private static Document parse(String html) throws Exception {
        var builder = DocumentBuilderFactory.newInstance().newDocumentBuilder();
        builder.setEntityResolver((publicId, systemId) -> {
            throw new IOException("the page refers to " + systemId);
        });
        return builder.parse(new InputSource(new StringReader(html)));
    }

    private static List<Element> elements(Node root, String name) {
        NodeList found = root instanceof Document page
                ? page.getElementsByTagName(name)
                : ((Element) root).getElementsByTagName(name);
        List<Element> elements = new ArrayList<>();
        for (int i = 0; i < found.getLength(); i++) {
            elements.add((Element) found.item(i));
        }
        return elements;
    }
}
