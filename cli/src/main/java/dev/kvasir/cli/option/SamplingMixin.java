package dev.kvasir.cli.option;

import dev.kvasir.cli.UsageException;
import dev.kvasir.engine.SamplingOptions;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import picocli.CommandLine.Option;

/** How the next token is drawn and when generation ends. */
public final class SamplingMixin {
    @Option(
            names = {"-n", "--max-tokens"},
            paramLabel = "N",
            defaultValue = "128",
            description = "Most tokens to generate. Default: ${DEFAULT-VALUE}.")
    private int maxTokens;

    @Option(
            names = "--temperature",
            paramLabel = "T",
            defaultValue = "0.8",
            description = "0 takes the likeliest token each time. Default: ${DEFAULT-VALUE}.")
    private double temperature;

    @Option(
            names = "--top-k",
            paramLabel = "K",
            defaultValue = "0",
            description = "Draw among the K likeliest; 0 is all. Default: ${DEFAULT-VALUE}.")
    private int topK;

    @Option(
            names = "--top-p",
            paramLabel = "P",
            defaultValue = "0.95",
            description = "Draw among the likeliest that together reach P; 1 is all. Default: ${DEFAULT-VALUE}.")
    private double topP;

    @Option(
            names = "--min-p",
            paramLabel = "P",
            defaultValue = "0",
            description = "Leave out what is less than P times as likely as the best. Default: ${DEFAULT-VALUE}.")
    private double minP;

    @Option(
            names = "--repetition-penalty",
            paramLabel = "R",
            defaultValue = "1",
            description = "Divides the logits of tokens seen before; 1 is none. Default: ${DEFAULT-VALUE}.")
    private double repetitionPenalty;

    @Option(
            names = "--seed",
            paramLabel = "N",
            description = "Makes the draws repeatable. Default: another one each time.")
    private Optional<Long> seed = Optional.empty();

    @Option(
            names = "--stop",
            paramLabel = "TEXT",
            description = "End where this text appears, without printing it. May be given several times.")
    private List<String> stop = new ArrayList<>();

    /** The options, checked; each call without {@code --seed} draws another seed. */
    public SamplingOptions options() {
        Range.check("--max-tokens", maxTokens, 1, Integer.MAX_VALUE);
        Range.check("--temperature", temperature, 0, 100);
        Range.check("--top-k", topK, 0, Integer.MAX_VALUE);
        Range.checkPositive("--top-p", topP, 1);
        if (stop.contains("")) {
            throw new UsageException("--stop is empty: allowed is at least one character");
        }
        Range.check("--min-p", minP, 0, 1);
        Range.checkPositive("--repetition-penalty", repetitionPenalty, 100);
        return new SamplingOptions(
                temperature,
                topK,
                topP,
                minP,
                repetitionPenalty,
                seed.orElseGet(System::nanoTime),
                maxTokens,
                List.copyOf(stop));
    }
}
