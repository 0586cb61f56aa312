package dev.kvasir.fuzz;

import com.sun.management.ThreadMXBean;
import dev.kvasir.KvasirException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;

/**
 * What a reader may do with bytes that nobody vouches for: read them, or refuse them by a {@link KvasirException} of one line.
 *
 * <p>Findings are any other exception or error, more memory than a multiple of the input's size, and more time than
 * {@value #MAX_SECONDS} seconds. A crash of the JVM ends the run by itself.
 */
final class Hostile {
    private static final int MAX_SECONDS = 10;
    /** What any reader may take, whatever the input: buffers, tables of fixed size, messages. */
    private static final long BASE_BYTES = 2L << 20;
    /** Bytes taken for each byte of input, mostly of JSON trees. */
    private static final long BYTES_PER_BYTE = 400;

    private static final ThreadMXBean THREADS = (ThreadMXBean) ManagementFactory.getThreadMXBean();

    private Hostile() {}

    /** What is tried. */
    interface Reader {
        void read() throws IOException;
    }

    /** Tries the reader on an input of that size. */
    static void check(int inputBytes, Reader reader) {
        check(BASE_BYTES + BYTES_PER_BYTE * inputBytes, reader);
    }

    /** As {@link #check(int, Reader)}, of a reader that may take so many bytes on the heap. */
    static void check(long maxBytes, Reader reader) {
        long taken = bytesTaken(reader);
        if (taken > maxBytes) {
            // The first time classes are loaded, and instrumented where this is a fuzzing run.
            taken = bytesTaken(reader);
        }
        if (taken > maxBytes) {
            throw new AssertionError("took " + taken + " bytes, allowed are " + maxBytes);
        }
    }

    private static long bytesTaken(Reader reader) {
        long thread = Thread.currentThread().threadId();
        long bytes = THREADS.getThreadAllocatedBytes(thread);
        long start = System.nanoTime();
        refusable(reader);
        long seconds = TimeUnit.NANOSECONDS.toSeconds(System.nanoTime() - start);
        if (seconds >= MAX_SECONDS) {
            throw new AssertionError("took " + seconds + " seconds");
        }
        return THREADS.getThreadAllocatedBytes(thread) - bytes;
    }

    /** Runs a part that may be refused while others are not. */
    static void refusable(Reader reader) {
        try {
            reader.read();
        } catch (KvasirException e) {
            String message = String.valueOf(e.getMessage());
            if (message.isEmpty() || message.chars().anyMatch(Character::isISOControl)) {
                throw new AssertionError("a message that is no line: " + message, e);
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Puts {@code bytes} into a new file: one that is mapped still must not change below its views. */
    static Path write(Path path, byte[] bytes) {
        try {
            Files.deleteIfExists(path);
            return Files.write(path, bytes);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** A folder for the files of one test. */
    static Path folder() {
        try {
            Path folder = Files.createTempDirectory("kvasir-fuzz");
            folder.toFile().deleteOnExit();
            return folder;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
