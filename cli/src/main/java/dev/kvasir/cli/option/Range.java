package dev.kvasir.cli.option;

import dev.kvasir.cli.UsageException;

/** Checks of numbers, whose errors name the option, the value and what is allowed. */
public final class Range {
    private Range() {}

    /** Fails unless {@code least <= value <= most}. */
    public static void check(String option, long value, long least, long most) {
        if (value < least || value > most) {
            String allowed = most == Long.MAX_VALUE || most == Integer.MAX_VALUE
                    ? "at least " + least
                    : "from " + least + " to " + most;
            throw new UsageException(option + " is " + value + ": allowed is " + allowed);
        }
    }

    /** Fails unless {@code least <= value <= most}; NaN fails. */
    public static void check(String option, double value, double least, double most) {
        if (!(value >= least && value <= most)) {
            throw new UsageException(option + " is " + value + ": allowed is from " + least + " to " + most);
        }
    }

    /** Fails unless {@code 0 < value <= most}; NaN fails. */
    public static void checkPositive(String option, double value, double most) {
        if (!(value > 0 && value <= most)) {
            throw new UsageException(option + " is " + value + ": allowed is above 0 and at most " + most);
        }
    }
}
