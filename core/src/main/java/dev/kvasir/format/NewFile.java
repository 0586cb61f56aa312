package dev.kvasir.format;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.AtomicMoveNotSupportedException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.UUID;

/**
 * A file of known length that appears under its name only at {@link #commit}, in one move: a reader never sees half a file,
 * and a failure leaves what was there before.
 */
final class NewFile implements AutoCloseable {
    private static final int MAX_PIECE = 1 << 20;

    private final Path path;
    private final Path temporary;
    private final FileChannel channel;
    private final long end;
    private boolean committed;

    private NewFile(Path path, Path temporary, FileChannel channel, long end) {
        this.path = path;
        this.temporary = temporary;
        this.channel = channel;
        this.end = end;
    }

    /** Starts a file of {@code bytes} bytes. */
    static NewFile create(Path path, long bytes) throws IOException {
        Path folder = path.toAbsolutePath().getParent();
        if (folder == null) {
            throw new IllegalArgumentException("no file can be written at " + path);
        }
        Path temporary = folder.resolve("." + path.getFileName() + "." + UUID.randomUUID() + ".tmp");
        FileChannel channel = FileChannel.open(temporary, StandardOpenOption.WRITE, StandardOpenOption.CREATE_NEW);
        return new NewFile(path, temporary, channel, bytes);
    }

    /** Writes what comes next. */
    void write(MemorySegment bytes) throws IOException {
        for (long at = 0; at < bytes.byteSize(); at += MAX_PIECE) {
            write(bytes.asSlice(at, Math.min(MAX_PIECE, bytes.byteSize() - at)).asByteBuffer());
        }
    }

    /** As {@link #write(MemorySegment)}, from the buffer's position to its limit. */
    void write(ByteBuffer bytes) throws IOException {
        if (channel.position() + bytes.remaining() > end) {
            throw new IllegalStateException(path + ": was announced to end at byte " + end + ", more was written");
        }
        while (bytes.hasRemaining()) {
            channel.write(bytes);
        }
    }

    /** Bytes written so far. */
    long position() throws IOException {
        return channel.position();
    }

    /**
     * Puts the finished file in its place.
     *
     * @throws IllegalStateException if bytes are missing
     */
    void commit() throws IOException {
        if (channel.position() != end) {
            throw new IllegalStateException(
                    path + ": ends at byte " + channel.position() + ", was announced to end at " + end);
        }
        channel.force(true);
        channel.close();
        try {
            Files.move(temporary, path, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
        } catch (AtomicMoveNotSupportedException e) {
            Files.move(temporary, path, StandardCopyOption.REPLACE_EXISTING);
        }
        committed = true;
    }

    /** Removes what was not committed. */
    @Override
    public void close() throws IOException {
        channel.close();
        if (!committed) {
            Files.deleteIfExists(temporary);
        }
    }
}
