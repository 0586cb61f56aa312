package dev.kvasir.cli.command;

import dev.kvasir.cli.option.ByteSize;
import dev.kvasir.lab.metric.Proportion;
import dev.kvasir.lab.metric.Spread;
import java.util.List;
import java.util.Locale;
import java.util.OptionalLong;
import java.util.stream.Collectors;

/** Figures as the tables show them. */
final class Cells {
    private static final double FEW = 100;

    private Cells() {}

    /** Bits per element, two decimals. */
    static String bits(double bitsPerElement) {
        return String.format(Locale.ROOT, "%.2f", bitsPerElement);
    }

    /** A count, all digits, in groups of three. */
    static String count(long count) {
        return String.format(Locale.ROOT, "%,d", count);
    }

    /** Bytes in a unit that is easy to read, or a dash where the system does not tell. */
    static String size(OptionalLong bytes) {
        return bytes.isPresent() ? new ByteSize(bytes.getAsLong()).toString() : "-";
    }

    /** A share of one as a percentage. */
    static String percent(double share) {
        return String.format(Locale.ROOT, "%.1f %%", 100 * share);
    }

    /** Shares of one beside each other: {@code 100.0/43.8 %}. */
    static String shares(List<Proportion> shares) {
        return shares.stream()
                .map(share -> String.format(Locale.ROOT, "%.1f", 100 * share.share()))
                .collect(Collectors.joining("/", "", " %"));
    }

    /** Tokens per second. */
    static String speed(double perSecond) {
        return String.format(Locale.ROOT, perSecond < FEW ? "%.1f" : "%,.0f", perSecond);
    }

    /** The median with the smallest and the largest: {@code 53.1 (51.0-54.2)}. */
    static String spread(Spread spread) {
        return speed(spread.median()) + " (" + speed(spread.min()) + "-" + speed(spread.max()) + ")";
    }

    /** A divergence, three digits. */
    static String divergence(double nats) {
        return nats == 0 ? "0" : String.format(Locale.ROOT, "%.3g", nats);
    }
}
