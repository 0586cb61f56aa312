package dev.kvasir.model;

import dev.kvasir.tensor.Workers;
import java.util.function.IntConsumer;

/** Work done token by token, shared among the workers where it is worth a hand-off. */
final class TokenParts {
    /** Channels of one part: about ten microseconds. */
    private static final int PART = 1 << 15;

    private TokenParts() {}

    /** Runs {@code token} for 0 to {@code count - 1}; each touches about {@code width} channels. */
    static void run(Workers workers, int count, int width, IntConsumer token) {
        int partTokens = Math.max(1, PART / width);
        int parts = (count + partTokens - 1) / partTokens;
        workers.run(parts, part -> {
            int end = Math.min(count, (part + 1) * partTokens);
            for (int t = part * partTokens; t < end; t++) {
                token.accept(t);
            }
        });
    }
}
