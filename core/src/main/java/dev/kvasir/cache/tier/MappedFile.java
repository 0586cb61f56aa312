package dev.kvasir.cache.tier;

import dev.kvasir.cache.Page;
import dev.kvasir.cache.PageSource;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.AccessDeniedException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

/**
 * A temporary file whose bytes are pages: it grows extent by extent, each mapped as a whole, and is deleted when closed.
 *
 * <p>An extent is written before it is mapped, so that a full disk is an error of whoever wants room and not a fault of
 * whoever writes to a page. Pages that are given back wait in the pool; the file never shrinks.
 */
final class MappedFile implements PageSource, AutoCloseable {
    private static final long SMALLEST = 1 << 20;
    private static final long LARGEST = 64 << 20;
    private static final int ALIGNMENT = 64;
    private static final int PIECE = 1 << 16;

    /** Makes a file longer by zeros. */
    @FunctionalInterface
    interface Grower {
        void grow(FileChannel channel, long from, long bytes) throws IOException;
    }

    private final Path path;
    private final FileChannel channel;
    private final Grower grower;
    private final Arena arena = Arena.ofShared();
    private MemorySegment extent = MemorySegment.NULL;
    private long used;
    private long length;

    private MappedFile(Path path, FileChannel channel, Grower grower) {
        this.path = path;
        this.channel = channel;
        this.grower = grower;
    }

    static MappedFile create(Path where) {
        return create(where, MappedFile::writeZeros);
    }

    /**
     * A new file in a folder, or beside a path.
     *
     * @throws TierException if there is no such folder, or no file can be made in it
     */
    static MappedFile create(Path where, Grower grower) {
        boolean folder = Files.isDirectory(where);
        Path parent = where.toAbsolutePath().getParent();
        Path name = where.getFileName();
        String prefix = folder || name == null ? "kvasir" : name.toString();
        try {
            Path path = Files.createTempFile(folder || parent == null ? where : parent, prefix + "-", ".kv");
            return new MappedFile(
                    path,
                    FileChannel.open(
                            path,
                            StandardOpenOption.READ,
                            StandardOpenOption.WRITE,
                            StandardOpenOption.DELETE_ON_CLOSE),
                    grower);
        } catch (NoSuchFileException e) {
            throw new TierException(where, "there is no folder " + parent + " to make a file in", e);
        } catch (AccessDeniedException e) {
            throw new TierException(where, "no file may be made there", e);
        } catch (IOException | IllegalArgumentException e) {
            throw new TierException(where, "no file can be made there: " + e.getMessage(), e);
        }
    }

    private static void writeZeros(FileChannel channel, long from, long bytes) throws IOException {
        ByteBuffer zeros = ByteBuffer.allocateDirect(PIECE);
        for (long at = from; at < from + bytes; ) {
            zeros.clear().limit((int) Math.min(PIECE, from + bytes - at));
            at += channel.write(zeros, at);
        }
    }

    @Override
    public void secure(long bytes) {
        // Pages begin at multiples of 64 bytes: a sixteenth more is room for that.
        long wanted = bytes + bytes / 16 + ALIGNMENT;
        if (bytes > 0 && extent.byteSize() - used < wanted) {
            grow(wanted);
        }
    }

    private void grow(long wanted) {
        long bytes = Math.max(wanted, Math.clamp(length, SMALLEST, LARGEST));
        try {
            grower.grow(channel, length, bytes);
            extent = channel.map(FileChannel.MapMode.READ_WRITE, length, bytes, arena);
        } catch (IOException e) {
            giveUp();
            throw new TierException(
                    path, "cannot grow from " + length + " by " + bytes + " bytes: " + e.getMessage(), e);
        }
        length += bytes;
        used = 0;
    }

    /** Gives back what a growth that failed has written. */
    private void giveUp() {
        try {
            channel.truncate(length);
        } catch (IOException e) {
            // The error that brought us here says what is wrong; the next growth writes over the rest.
        }
    }

    @Override
    public Page page(long size) {
        if (extent.byteSize() - used < size) {
            grow(size);
        }
        Page page = new Page(extent.asSlice(used, size), () -> {});
        used = (used + size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
        return page;
    }

    @Override
    public void close() {
        arena.close();
        try {
            channel.close();
            Files.deleteIfExists(path);
        } catch (IOException e) {
            throw new TierException(path, "cannot be deleted: " + e.getMessage(), e);
        }
    }
}
