package dev.kvasir.lab.report;

import java.math.BigDecimal;
import java.math.MathContext;
import java.math.RoundingMode;
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
        BigDecimal rounded = rounded(value, digits);
        if (exponent(rounded) < -3) {
            BigDecimal few = rounded(value, Math.min(digits, 2));
            int exponent = exponent(few);
            return String.format(Locale.ROOT, "%." + (few.precision() - 1) + "f", few.scaleByPowerOfTen(-exponent))
                    + "×" + power(exponent);
        }
        int decimals = Math.clamp(digits - 1L - exponent(rounded), 0, 6);
        return String.format(
                Locale.ROOT, "%,." + decimals + "f", rounded(value, Math.max(digits, exponent(rounded) + 1)));
    }

    private static BigDecimal rounded(double value, int digits) {
        return new BigDecimal(value).round(new MathContext(digits, RoundingMode.HALF_EVEN));
    }

    private static int exponent(BigDecimal value) {
        return value.precision() - value.scale() - 1;
    }

    /** As {@link #significant}, without zeros at the end; powers of ten alone where they are exact. */
    static String plain(double value, int digits) {
        String text = significant(value, digits);
        int times = text.indexOf('×');
        String number = times < 0 ? text : text.substring(0, times);
        if (number.contains(".")) {
            number = number.replaceAll("0+$", "").replaceAll("\\.$", "");
        }
        if (times < 0) {
            return number;
        }
        return number.equals("1") ? text.substring(times + 1) : number + text.substring(times);
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

    /** Bytes as an axis shows them, without zeros at the end. */
    static String plainBytes(double bytes) {
        return bytes(bytes).replaceAll("(\\.\\d*?)0+ ", "$1 ").replace(". ", " ");
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
