package dev.kvasir.cache.tier;

import dev.kvasir.KvasirException;
import java.nio.file.Path;

/** A second tier that cannot be made or cannot grow; says which file, what was wanted and why not. */
public final class TierException extends KvasirException {
    /** The error in one line. */
    public TierException(Path path, String problem, Throwable cause) {
        super("second tier " + path + ": " + problem, cause);
    }
}
