package dev.kvasir.cli;

import java.io.IOException;
import java.io.OutputStream;

/**
 * Standard output whose reader may leave, as {@code head} does. A {@link java.io.PrintStream} would swallow the error
 * and the work would go on for nobody; this ends it.
 */
final class OutputOrEnd extends OutputStream {
    private final OutputStream out;

    OutputOrEnd(OutputStream out) {
        this.out = out;
    }

    /** Nobody reads standard output any more. */
    static final class ClosedException extends RuntimeException {
        private static final long serialVersionUID = 1;

        ClosedException(IOException cause) {
            super(cause);
        }
    }

    @Override
    public void write(int b) {
        write(new byte[] {(byte) b}, 0, 1);
    }

    @Override
    public void write(byte[] bytes, int offset, int length) {
        try {
            out.write(bytes, offset, length);
        } catch (IOException e) {
            throw new ClosedException(e);
        }
    }
}
