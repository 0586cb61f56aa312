package dev.kvasir.cli.option;

import dev.kvasir.engine.TextSamples;
import java.util.Optional;
import picocli.CommandLine.Option;

/** How much of a text is read to learn from. */
public final class SamplesOption {
    @Option(
            names = "--samples",
            paramLabel = "N",
            defaultValue = "" + TextSamples.DEFAULT_SAMPLES,
            description = "Sequences to read, which do not overlap. Default: ${DEFAULT-VALUE}.")
    private int samples = TextSamples.DEFAULT_SAMPLES;

    @Option(
            names = "--length",
            paramLabel = "N",
            description =
                    "Tokens of a sequence. Default: the model's context, at most " + TextSamples.DEFAULT_LENGTH + ".")
    private Optional<Integer> length = Optional.empty();

    @Option(
            names = "--seed",
            paramLabel = "N",
            defaultValue = "0",
            description = "Chooses where the sequences lie in the text. Default: ${DEFAULT-VALUE}.")
    private long seed;

    /** Fails if a value is out of range; to be called before anything is opened. */
    public void check() {
        Range.check("--samples", samples, 1, 1 << 20);
        length.ifPresent(value -> Range.check("--length", value, 2, Integer.MAX_VALUE));
    }

    /** What to draw for a model of that context. */
    public TextSamples of(int contextLength) {
        int tokens = length.orElse(Math.min(TextSamples.DEFAULT_LENGTH, contextLength));
        Range.check("--length", tokens, 2, contextLength);
        return new TextSamples(samples, tokens, seed);
    }
}
