package dev.kvasir.cli.command;

import java.io.IOException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

/** Checks of where results go, made before the minutes of work rather than after them. */
final class OutputFiles {
    private OutputFiles() {}

    /** Fails if the file cannot be written; leaves it as it was. */
    static void requireWritable(Path file) throws IOException {
        boolean existed = Files.exists(file);
        Files.newOutputStream(file, StandardOpenOption.CREATE, StandardOpenOption.APPEND)
                .close();
        if (!existed) {
            Files.delete(file);
        }
    }

    /** Fails if the file cannot be written, or is there and may not be written over. */
    static void requireNew(Path file, boolean force) throws IOException {
        if (!force && Files.exists(file)) {
            throw new FileAlreadyExistsException(
                    file.toString(), null, "already exists: name another file, or write over it with --force");
        }
        requireWritable(file);
    }
}
