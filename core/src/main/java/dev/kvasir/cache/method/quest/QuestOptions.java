package dev.kvasir.cache.method.quest;

import dev.kvasir.InvalidInputException;
import dev.kvasir.cache.CacheSettings;

/**
 * The options of Quest, checked.
 *
 * @param page tokens of a page
 * @param pages pages that each query head reads, the one that is being filled among them
 * @param dense first layers that read everything
 */
record QuestOptions(int page, int pages, int dense) {
    static final String NAME = "quest";
    /** As many pages are read whatever the budget. */
    private static final int FEWEST = 3;

    private static final int LARGEST_PAGE = 1 << 16;

    static QuestOptions of(CacheSettings settings) {
        int page = settings.number("page");
        if (page < 1 || page > LARGEST_PAGE) {
            throw new InvalidInputException(
                    NAME + ": page=" + page + " is not possible, allowed: 1 to " + LARGEST_PAGE);
        }
        return new QuestOptions(page, Math.max(FEWEST, settings.number("budget") / page), settings.number("dense"));
    }
}
