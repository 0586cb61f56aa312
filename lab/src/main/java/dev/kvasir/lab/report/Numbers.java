package dev.kvasir.lab.report;

import java.util.Locale;

/** Numbers as people read them. */
public final class Numbers {
    private static final String SUPERSCRIPTS = "⁰¹²³⁴⁵⁶⁷⁸⁹";
    private static final String[] BYTE_UNITS = {"B", "KB", "MB", "GB", "TB"};

    private Numbers() {}

    /** {@code digits} significant digits; powers of ten below a thousandth; thousands grouped. */
    public static String significant(double value, int digits) {
        if (value == 0) {
            return "0";
        }
        if (!Double.isFinite(value)) {
            return String.valueOf(value);
        }
        int exponent = (int) Math.floor(Math.log10(Math.abs(value)));
        if (exponent < -3) {
            double mantissa = value / Math.pow(10, exponent);
            return String.format(Locale.ROOT, "%." + (Math.min(digits, 2) - 1) + "f", mantissa) + "×" + power(exponent);
        }
        int decimals = Math.clamp(digits - 1L - exponent, 0, 6);
        return String.format(Locale.ROOT, "%,." + decimals + "f", value);
    }

    /** {@code 10} with a superscript exponent. */
    static String power(int exponent) {
        StringBuilder text = new StringBuilder("10");
        for (char c : String.valueOf(exponent).toCharArray()) {
            text.append(c == '-' ? '⁻' : SUPERSCRIPTS.charAt(c - '0'));
        }
        return text.toString();
    }

    /** Bytes in units of 1000, three digits. */
    public static String bytes(double bytes) {
        double value = bytes;
        int unit = 0;
        while (value >= 999.5 && unit < BYTE_UNITS.length - 1) {
            value /= 1000;
            unit++;
        }
        return (unit == 0 ? String.format(Locale.ROOT, "%.0f", value) : significant(value, 3)) + " " + BYTE_UNITS[unit];
    }

    /** As {@link #bytes(double)}. */
    public static String bytes(long bytes) {
        return bytes((double) bytes);
    }

    /** A count with thousands grouped. */
    public static String count(long value) {
        return String.format(Locale.ROOT, "%,d", value);
    }

    /** A share as percent with one decimal. */
    public static String percent(double share) {
        return String.format(Locale.ROOT, "%.1f %%", 100 * share);
    }

    /** A ratio such as {@code 1.25×}. */
    public static String ratio(double value) {
        return significant(value, 3) + "×";
    }
}
