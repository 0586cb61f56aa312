package dev.kvasir.cli.command;

import dev.kvasir.engine.Generator;
import java.util.Locale;

/** How fast a generation was, in one line for people. */
final class Speed {
    private Speed() {}

    /** For example {@code prompt 512 tokens in 0.31 s (1651.6 tokens/s), generated 64 in 1.20 s (53.3 tokens/s)}. */
    static String of(Generator.Result result) {
        return "prompt " + rate(result.promptTokens(), result.prefillSeconds()) + ", generated "
                + rate(result.tokens(), result.decodeSeconds());
    }

    private static String rate(int tokens, double seconds) {
        return seconds > 0
                ? String.format(Locale.ROOT, "%d tokens in %.2f s (%.1f tokens/s)", tokens, seconds, tokens / seconds)
                : tokens + " tokens";
    }
}
