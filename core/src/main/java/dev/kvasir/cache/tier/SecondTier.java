package dev.kvasir.cache.tier;

import dev.kvasir.InvalidInputException;
import dev.kvasir.cache.PagePool;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/**
 * The pages of the second tier of a cache and of its forks, until the last of them lets go. In memory they are the cache's
 * own pool's, under its budget; in a file they have a pool of their own, which the disk bounds.
 */
public final class SecondTier {
    /** The text that means memory. */
    public static final String MEMORY = "ram";

    private final PagePool pool;
    private final @Nullable MappedFile file;
    private int holders;

    private SecondTier(PagePool pool, @Nullable MappedFile file) {
        this.pool = pool;
        this.file = file;
    }

    /**
     * A tier nobody holds yet.
     *
     * @param where {@link #MEMORY}; or a folder, in which a temporary file is made; or a path, beside which a file is made
     *     whose name begins so. Nothing that is there is written over.
     * @param memory the cache's own pool
     * @throws TierException if the file cannot be made
     */
    public static SecondTier open(String where, PagePool memory) {
        if (where.equals(MEMORY)) {
            return new SecondTier(memory, null);
        }
        MappedFile file = MappedFile.create(path(where));
        return new SecondTier(new PagePool(Long.MAX_VALUE, file), file);
    }

    private static Path path(String where) {
        try {
            return Path.of(where);
        } catch (InvalidPathException e) {
            throw new InvalidInputException("second tier: no path: " + e.getMessage());
        }
    }

    /** Where the tier's pages come from. */
    public PagePool pool() {
        return pool;
    }

    /** Whether its pages are not the cache's own pool's. */
    public boolean isApart() {
        return file != null;
    }

    /** One holder more. */
    public synchronized void hold() {
        holders++;
    }

    /** One holder less; the last one deletes the file. All pages must have been given back by then. */
    public synchronized void letGo() {
        holders--;
        if (holders == 0) {
            close();
        }
    }

    /** Deletes the file, of a tier that nobody came to hold. */
    public void close() {
        if (file != null) {
            pool.close();
            file.close();
        }
    }
}
