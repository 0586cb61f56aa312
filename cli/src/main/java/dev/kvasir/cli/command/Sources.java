package dev.kvasir.cli.command;

import dev.kvasir.cli.Terminal;
import dev.kvasir.cli.UsageException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;

/** Where a command's text comes from: arguments, a file, or standard input. */
final class Sources {
    private Sources() {}

    /**
     * The text of the arguments joined by spaces, else of the file ({@code -} is standard input), else of standard
     * input unless a person sits there.
     *
     * @param what how the user would name the text, for the error
     */
    static String text(List<String> arguments, Optional<Path> file, Terminal terminal, String what) throws IOException {
        if (!arguments.isEmpty()) {
            if (file.isPresent()) {
                throw new UsageException(what + " is given twice, once as a file: one is allowed");
            }
            return String.join(" ", arguments);
        }
        if (file.isPresent() && !file.get().equals(Path.of("-"))) {
            return decode(Files.readAllBytes(file.get()));
        }
        if (file.isEmpty() && terminal.inInteractive()) {
            throw new UsageException(what + " is missing: name it, a file, or pipe it in");
        }
        return decode(terminal.in().readAllBytes());
    }

    /** Bytes as UTF-8; malformed ones are an error, since what is silently replaced is no longer the user's text. */
    private static String decode(byte[] bytes) throws IOException {
        return StandardCharsets.UTF_8
                .newDecoder()
                .decode(ByteBuffer.wrap(bytes))
                .toString();
    }
}
