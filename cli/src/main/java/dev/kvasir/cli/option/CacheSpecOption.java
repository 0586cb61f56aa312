package dev.kvasir.cli.option;

import dev.kvasir.cache.CacheSpec;
import java.util.Optional;
import picocli.CommandLine.Option;

/** Which cache a sequence lives in. */
public final class CacheSpecOption {
    @Option(
            names = {"-c", "--cache"},
            paramLabel = "SPEC",
            converter = CacheSpecConverter.class,
            description = "How keys and values are held, e.g. 'kivi(bits=2)'; `kvasir methods` lists all."
                    + " Default: exact.")
    private Optional<CacheSpec> spec = Optional.empty();

    /** The cache to make. */
    public CacheSpec spec() {
        return spec.orElseGet(() -> CacheSpec.parse("exact"));
    }
}
