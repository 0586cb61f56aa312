package dev.kvasir.engine;

import java.util.List;

/**
 * Finds the stop text that is first complete, in text that comes in pieces; how the text is cut makes no difference.
 *
 * <p>Text that may turn out to begin a stop text is held back, at most one char less than the longest of them has.
 */
final class StopMatcher {
    private final List<String> stops;
    private final StringBuilder held = new StringBuilder();
    private boolean stopped;

    StopMatcher(List<String> stops) {
        this.stops = stops;
    }

    /** Takes the next piece and gives the text that is certainly none of a stop text. */
    String append(String piece) {
        if (stopped) {
            return "";
        }
        held.append(piece);
        int start = -1;
        int end = Integer.MAX_VALUE;
        for (String stop : stops) {
            int found = held.indexOf(stop);
            int after = found + stop.length();
            if (found >= 0 && (after < end || (after == end && found < start))) {
                start = found;
                end = after;
            }
        }
        if (start >= 0) {
            stopped = true;
            return take(start);
        }
        int from = 0;
        while (from < held.length() && !mayBegin(from)) {
            from++;
        }
        return take(from);
    }

    /** Whether a stop text begins with all that is held from {@code from} on. */
    private boolean mayBegin(int from) {
        String rest = held.substring(from);
        for (String stop : stops) {
            if (rest.length() < stop.length() && stop.startsWith(rest)) {
                return true;
            }
        }
        return false;
    }

    /** Whether a stop text was found; it and what follows it are dropped. */
    boolean stopped() {
        return stopped;
    }

    /** What was held back, at the end of the text. */
    String finish() {
        return stopped ? "" : take(held.length());
    }

    private String take(int length) {
        String text = held.substring(0, length);
        held.delete(0, length);
        return text;
    }
}
