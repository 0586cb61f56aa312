package dev.kvasir.lab.report;

import dev.kvasir.lab.compare.ComparisonResult;
import dev.kvasir.lab.compare.ComparisonResult.Row;
import dev.kvasir.lab.metric.Proportion;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.function.Function;
import java.util.stream.Stream;

/** What a reader in a hurry wants to know, each with the rule it was found by. */
final class Findings {
    private static final double NEARLY_EXACT_TOP1 = 0.99;
    private static final double USABLE_TOP1 = 0.9;

    /** A model that gets fewer answers right with the exact cache says nothing about the others. */
    private static final double TELLING_SHARE = 0.1;

    private Findings() {}

    /** Writes one card per finding. */
    static void write(Markup page, ComparisonResult result) {
        Row exact = result.rows().getFirst();
        List<Row> others =
                result.rows().stream().filter(row -> !row.reference()).toList();
        if (others.isEmpty()) {
            return;
        }
        page.open("div", "class", "cards");
        nearlyExact(page, exact, others);
        asRight(page, exact, others, "Smallest without a clear loss of right answers", Row::accuracy);
        asRight(page, exact, others, "Smallest without a clear loss at the last of several questions", Row::lastTurn);
        fastest(page, exact, others);
        page.close("div");
    }

    private static void nearlyExact(Markup page, Row exact, List<Row> others) {
        Optional<Row> found =
                smallest(others.stream().filter(row -> row.quality().top1() >= NEARLY_EXACT_TOP1));
        found.ifPresentOrElse(
                row -> card(
                        page,
                        "Smallest that keeps 99 % of the top choices",
                        row.cache(),
                        size(row, exact) + "; top-1 agreement "
                                + Numbers.percent(row.quality().top1()) + ", KLD "
                                + Numbers.significant(row.quality().kld(), 3)),
                () -> card(
                        page,
                        "Smallest that keeps 99 % of the top choices",
                        "none",
                        "every compressed cache changes more than one in a hundred"));
    }

    private static void asRight(
            Markup page, Row exact, List<Row> others, String what, Function<Row, Optional<Proportion>> answers) {
        answers.apply(exact).filter(share -> share.share() >= TELLING_SHARE).ifPresent(reference -> {
            Optional<Row> found = smallest(others.stream()
                    .filter(row -> answers.apply(row)
                            .filter(own -> own.high() >= reference.share())
                            .isPresent()));
            found.ifPresentOrElse(
                    row -> card(
                            page,
                            what,
                            row.cache(),
                            size(row, exact) + "; "
                                    + Numbers.percent(
                                            answers.apply(row).orElse(reference).share()) + " of answers right, exact "
                                    + Numbers.percent(reference.share())),
                    () -> card(page, what, "none", "the 95 % interval of each lies below the exact cache's share"));
        });
    }

    private static void fastest(Markup page, Row exact, List<Row> others) {
        Optional<Row> found = others.stream()
                .filter(other -> other.quality().top1() >= USABLE_TOP1)
                .max(Comparator.comparingDouble(other -> other.speed().deepestDecode()));
        if (found.isEmpty()) {
            return;
        }
        Row row = found.get();
        var deepest = row.speed().depths().getLast();
        card(
                page,
                "Fastest at " + Numbers.count(deepest.depth()) + " tokens that keeps 90 % of the top choices",
                row.cache(),
                Numbers.significant(deepest.decode().median(), 3) + " tokens/s, "
                        + Numbers.ratio(deepest.ratio().median()) + " of " + exact.cache());
    }

    private static Optional<Row> smallest(Stream<Row> rows) {
        return rows.min(Comparator.comparingDouble(Row::bytesPerToken));
    }

    private static String size(Row row, Row exact) {
        return Numbers.bytes(row.bytesPerToken()) + " a token, "
                + Numbers.significant(exact.bytesPerToken() / row.bytesPerToken(), 3) + "× smaller than "
                + exact.cache();
    }

    private static void card(Markup page, String what, String which, String why) {
        page.open("div", "class", "card");
        page.element("div", what, "class", "what");
        page.element("div", which, "class", "which");
        page.element("div", why, "class", "why");
        page.close("div");
    }
}
