package dev.kvasir.cache;

import dev.kvasir.KvasirException;

/** The page pool's budget is spent; says how many bytes were wanted and how many the budget is. */
public final class CacheBudgetException extends KvasirException {
    /** The error in one line. */
    public CacheBudgetException(String message) {
        super(message);
    }
}
