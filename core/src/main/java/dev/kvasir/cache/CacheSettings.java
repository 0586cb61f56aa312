package dev.kvasir.cache;

import java.util.Map;

/** The values of all options of a method, checked one by one, defaults filled in. */
public final class CacheSettings {
    private final Map<String, String> values;

    CacheSettings(Map<String, String> values) {
        this.values = values;
    }

    /** The text of an option. */
    public String text(String option) {
        String value = values.get(option);
        if (value == null) {
            throw new IllegalArgumentException("no option " + option);
        }
        return value;
    }

    /** The number of an option. */
    public int number(String option) {
        return Integer.parseInt(text(option));
    }

    /** The number of an option that may have decimals. */
    public double decimal(String option) {
        return Double.parseDouble(text(option));
    }

    /** The cache that an option names, complete and canonical. */
    public CacheSpec spec(String option) {
        return CacheSpec.parse(text(option));
    }

    /** The truth of an option. */
    public boolean flag(String option) {
        return Boolean.parseBoolean(text(option));
    }
}
