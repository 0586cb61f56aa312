package dev.kvasir.cache;

import dev.kvasir.KvasirException;

/** A saved cache that is truncated, damaged, of another version, or of another model; says which field and why. */
public final class CacheFileException extends KvasirException {
    /** The error in one line: field, value found, value expected. */
    public CacheFileException(String problem) {
        super("saved cache: " + problem);
    }

    /** As {@link #CacheFileException(String)}, with what caused it. */
    public CacheFileException(String problem, Throwable cause) {
        super("saved cache: " + problem, cause);
    }
}
