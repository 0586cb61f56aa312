package dev.kvasir.cli.option;

import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.TypeConversionException;

/**
 * A number of bytes as people write it: {@code 512M}, {@code 1.5GiB}, {@code 4096}. K, M, G and T are powers of 1024.
 *
 * @param bytes at least 0
 */
public record ByteSize(long bytes) {
    private static final Pattern FORM =
            Pattern.compile("(\\d{1,15}(?:\\.\\d{1,9})?)\\s*([kmgt]?)(?:i?b)?", Pattern.CASE_INSENSITIVE);

    /** Reads a size from the command line. */
    public static final class Converter implements ITypeConverter<ByteSize> {
        @Override
        public ByteSize convert(String text) {
            Matcher form = FORM.matcher(text.strip());
            if (!form.matches()) {
                throw new TypeConversionException("'" + text + "' is not a size: allowed are bytes, or a number with"
                        + " K, M, G or T, such as 512M or 1.5G");
            }
            String unit = form.group(2).toLowerCase(Locale.ROOT);
            int power = unit.isEmpty() ? 0 : "kmgt".indexOf(unit) + 1;
            double bytes = Double.parseDouble(form.group(1)) * Math.pow(1024, power);
            if (bytes > Long.MAX_VALUE / 2.0) {
                throw new TypeConversionException("'" + text + "' is more than any machine holds");
            }
            return new ByteSize((long) bytes);
        }
    }

    /** The size for people: {@code 3.4 MiB}. */
    @Override
    public String toString() {
        if (bytes < 1024) {
            return bytes + " B";
        }
        int power = Math.min(4, (63 - Long.numberOfLeadingZeros(bytes)) / 10);
        return String.format(Locale.ROOT, "%.1f %siB", bytes / Math.pow(1024, power), "KMGT".charAt(power - 1));
    }
}
